"""Erase the data of a person, and report what was erased without naming the person.

An event keeps only its name, id and state, so that no backfill records it again. Its body, hashes and notes are
cleared, and an event that was not sent yet is never sent. TikTok's answers are kept without the parts that repeat data
of a person. New answers are stored that way already; older rows are cleaned here.

`before_delete` erases the events of a user whom the site deletes, if the setting ERASE_WITH_USER is on.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import pre_delete

from tiktok_attribution import conf
from tiktok_attribution.attribution.erasure import erase_conversions
from tiktok_attribution.consent.types import Reason
from tiktok_attribution.delivery.outbox import clear_bodies, outbox_databases
from tiktok_attribution.delivery.suppressed import refusal
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.sanitize import without_echoes
from tiktok_attribution.failures import report
from tiktok_attribution.models import ERASED, Attempt, OutboxEvent, PixelStatus, State, VisitorSnapshot
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.privacy.browsers import browsers_of, erase_browsers
from tiktok_attribution.privacy.person import Found, Person, find, recorded_conversions
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.matching import identified

logger = logging.getLogger("tiktok_attribution")

STILL_OPEN = (State.WAITING, State.AWAITING_CONSENT, State.INVALID, State.REJECTED, State.EXPIRED)
PAGE_ROWS = 500

Key = TypeVar("Key")
Telling = tuple[type[Attempt] | type[PixelStatus], str, str]
"""A row whose answer repeats data of a person: its model, its key, and the text that may stay."""


def erase(who: Person, *, dry: bool = False, quick: bool = False) -> dict[str, Any]:
    """Erase what was found for a person and return a report: counts by database and state, without personal data.

    With `dry` nothing is erased, and the report says what would be.
    """
    report: dict[str, Any] = {
        "reference": str(uuid.uuid4()),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dry_run": dry,
        "whole_search": not quick,
        "databases": {},
    }
    whole = {using: find(who, using=using, quick=quick) for using in outbox_databases()}
    browsers = browsers_of(who, whole)  # before their keys are erased
    for using, found in whole.items():
        rows = OutboxEvent.objects.using(using).with_keys(found.events)
        before = Counter(rows.values_list("state", flat=True))
        if not dry:
            _erase(found, using)
        answers = list(_telling_answers(found, using))
        if not dry:
            _clean(answers, using)
        left = 0 if dry else rows.exclude(payload="").count()
        report["databases"][using] = {
            "events": dict(sorted(before.items())),
            "events_still_with_data": left,
            "answers": len(answers),
            "answers_still_with_data": 0 if dry else sum(1 for _ in _telling_answers(found, using)),
            "snapshots": len(found.snapshots),
            "event_keys": found.events,
        }
    # After the bodies: from now on no worker records one of these conversions again.
    conversions = recorded_conversions(who, whole)
    report["conversions"] = len(conversions) if dry else erase_conversions(conversions)
    report["browsers"] = erase_browsers(browsers, dry=dry)
    told = {using: (sum(one["events"].values()), one["snapshots"]) for using, one in report["databases"].items()}
    logger.info("tiktok: erasure %s%s: %s", report["reference"], " (dry run)" if dry else "", told)
    return report


def _telling_answers(found: Found, using: str) -> Iterator[Telling]:
    """Yield answers that repeat personal data: those of the attempts to send these events, and those of each pixel."""
    events = OutboxEvent.objects.using(using)
    kept: dict[str, None] = {}
    for pks in _pages(found.events):
        for log in events.with_keys(pks).exclude(attempt_log="").values_list("attempt_log", flat=True):
            kept.update(dict.fromkeys(filter(None, log.split(","))))
    for keys in _pages(list(kept)):
        yield from _telling(Attempt, Attempt.objects.using(using).filter(pk__in=keys, http_status__isnull=False))
    yield from _telling(PixelStatus, PixelStatus.objects.using(using).exclude(message=""))


def _telling(model: type[Attempt | PixelStatus], rows: QuerySet[Any]) -> Iterator[Telling]:
    for key, message in rows.values_list("pk", "message"):
        clean = without_echoes(message)
        if clean != message:
            yield model, key, clean


def _clean(answers: Iterable[Telling], using: str) -> None:
    for model, key, words in answers:
        model._default_manager.using(using).filter(pk=key).update(message=words)


def _pages(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Split keys into parts that fit into one statement of every database engine."""
    return (keys[at : at + PAGE_ROWS] for at in range(0, len(keys), PAGE_ROWS))


def _erase(found: Found, using: str) -> None:
    for pks in _pages(found.events):
        rows = OutboxEvent.objects.using(using).with_keys(pks)
        with transaction.atomic(using=using):
            rows.in_state(*STILL_OPEN).update(state=State.CANCELLED, due_at=None)
            # Clear `unfinished_since` too: finishing would write the body again, and the object may still name the
            # person.
            rows.update(note=ERASED, match_keys=0, value=None, currency="", unfinished_since=None)
            clear_bodies(pks, using=using)
    snapshots = VisitorSnapshot.objects.using(using)
    for pks in _pages(found.snapshots):
        # Don't delete the row: the object may become a conversion tomorrow, and that must not be sent either.
        snapshots.filter(pk__in=pks).update(signals=refusal(Reason.ERASED.value), visitor_key=None)


def connect() -> None:
    """Connect to the deletion of the site's user model."""
    pre_delete.connect(before_delete, sender=get_user_model(), dispatch_uid="tiktok_attribution.erase_with_user")


@errors_without_values
def before_delete(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    """Note who the user is while it can be read, and erase their data after the commit.

    Finds events by e-mail address and object, which have an index. Run `tiktok_erase` for the rest, which reads whole
    tables.
    """
    if not conf.current().erase_with_user:
        return
    try:
        with protected(using):
            keys, _ = identified(instance, conf.current().user)
        who = Person(emails=keys.email, hashes=keys.email, objects=((sender._meta.label, object_key(instance.pk)),))
        transaction.on_commit(lambda: erase_quietly(who), using=using, robust=True)
    except Exception as error:  # noqa: BLE001 -- the site's own mapping may raise any error
        report(error, "a deleted user's events were not erased, use tiktok_erase")


def erase_quietly(who: Person) -> None:
    """Erase a person's data after the commit. An error is logged and not raised."""
    try:
        erase(who, quick=True)
    except Exception as error:  # noqa: BLE001 -- the user is deleted in any case
        report(error, "a deleted user's events were not erased, use tiktok_erase")
