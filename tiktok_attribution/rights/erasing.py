"""Erases what is kept of a person, and says what was done without saying of whom.

An event keeps its bare name, id and state: they are what keeps the backfill from recording it anew. Its body, hashes
and notes go, and what was not sent yet is never sent.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from datetime import datetime, timezone
from typing import Any

from django.db import transaction

from tiktok_attribution.consent.answer import Reason
from tiktok_attribution.delivery.bodies import clear_bodies
from tiktok_attribution.delivery.dropped import refusal
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import OutboxEvent, State, VisitorSnapshot
from tiktok_attribution.rights.person import Found, Person, find

logger = logging.getLogger("tiktok_attribution")

STILL_OPEN = (State.WAITING, State.HELD, State.INVALID, State.REJECTED, State.EXPIRED)
ERASED = "Erased at the person's request."
STRETCH = 500


def erase(who: Person, *, dry: bool = False, quick: bool = False) -> dict[str, Any]:
    """The report: what was (or, `dry`, would be) erased, by database and state. It holds nothing personal."""
    report: dict[str, Any] = {
        "reference": str(uuid.uuid4()),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dry_run": dry,
        "whole_search": not quick,
        "databases": {},
    }
    for using in outbox_databases():
        found = find(who, using=using, quick=quick)
        rows = OutboxEvent.objects.using(using).filter(pk__in=found.events)
        before = Counter(rows.values_list("state", flat=True))
        if not dry:
            _erase(found, using)
        left = 0 if dry else rows.exclude(payload="").count()
        report["databases"][using] = {
            "events": dict(sorted(before.items())),
            "events_still_with_data": left,
            "snapshots": len(found.snapshots),
            "event_keys": found.events,
        }
    told = {using: (sum(one["events"].values()), one["snapshots"]) for using, one in report["databases"].items()}
    logger.info("tiktok: erasure %s%s: %s", report["reference"], " (dry run)" if dry else "", told)
    return report


def _erase(found: Found, using: str) -> None:
    for at in range(0, len(found.events), STRETCH):
        pks = found.events[at : at + STRETCH]
        rows = OutboxEvent.objects.using(using).filter(pk__in=pks)
        with transaction.atomic(using=using):
            rows.filter(state__in=STILL_OPEN).update(state=State.CANCELLED, due_at=None)
            rows.update(note=ERASED, match_keys=0, value=None, currency="")
            clear_bodies(pks, using=using)
    snapshots = VisitorSnapshot.objects.using(using)
    for at in range(0, len(found.snapshots), STRETCH):
        # Not deleted: what becomes of the object by a webhook tomorrow must not be told either.
        snapshots.filter(pk__in=found.snapshots[at : at + STRETCH]).update(signals=refusal(Reason.ERASED.value))
