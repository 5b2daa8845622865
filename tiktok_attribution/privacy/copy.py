"""Export a person's data: a copy of everything that is stored about them."""

from __future__ import annotations

import json
from typing import Any

from tiktok_attribution.attribution.erasure import copy_of
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import Attempt, OutboxEvent, VisitorSnapshot
from tiktok_attribution.privacy.browsers import browsers_of, export_browsers
from tiktok_attribution.privacy.person import Found, Person, find, recorded_conversions


def export(who: Person) -> dict[str, Any]:
    """Return by database the person's events with bodies, the attempts to send them, the snapshots, and conversions.

    Under "browsers": touches and links, which may lie in another database.
    """
    found = {using: find(who, using=using) for using in outbox_databases()}
    browsers = browsers_of(who, found)
    copies = {using: _of_database(one, using) for using, one in found.items()}
    conversions = copy_of(recorded_conversions(who, found))
    copies.setdefault(attribution_database(), {})["conversions"] = conversions
    return {**copies, "browsers": export_browsers(browsers)}


def _of_database(found: Found, using: str) -> dict[str, Any]:
    rows = list(OutboxEvent.objects.using(using).with_keys(found.events).order_by("pk"))
    pks = {pk for row in rows for pk in row.attempt_pks}
    attempts = Attempt.objects.using(using).filter(pk__in=pks).order_by("started_at")
    snapshots = VisitorSnapshot.objects.using(using).filter(pk__in=found.snapshots).order_by("pk")
    return {
        "events": [_event(row) for row in rows],
        "attempts": [
            {"id": one.pk, "at": one.started_at.isoformat(), "answer": str(one), "events_in_it": one.event_count}
            for one in attempts
        ],
        "visitor_snapshots": [
            {
                "of": f"{one.object_label}:{one.object_pk}",
                "kept_since": one.created_at.isoformat(),
                "signals": json.loads(one.signals),
                "visitor_key": str(one.visitor_key or ""),
            }
            for one in snapshots
        ],
    }


def _event(row: OutboxEvent) -> dict[str, Any]:
    moments = {
        "recorded": row.created_at,
        "delivered": row.delivered_at,
        "shown_to_browser": row.browser_at,
        "confirmed_by_browser": row.browser_confirmed_at,
    }
    return {
        "pixel": row.pixel_code,
        "event": row.name,
        "event_id": row.event_id,
        "happened": row.happened_at.isoformat(),
        "state": row.state,
        "note": row.note,
        "of": f"{row.object_label}:{row.object_pk}" if row.object_label else "",
        **{key: value.isoformat() for key, value in moments.items() if value is not None},
        "visitor_key": str(row.visitor_key or ""),
        "attempts": row.attempt_pks,
        "body": json.loads(row.payload) if row.payload else "cleared",
    }
