"""Everything that is kept of a person, as they may ask to see it."""

from __future__ import annotations

import json
from typing import Any

from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import Attempt, OutboxEvent, VisitorSnapshot
from tiktok_attribution.rights.person import Person, find


def export(who: Person) -> dict[str, Any]:
    """By database: events with their bodies and the attempts to send them, and snapshots."""
    return {using: _of_database(who, using) for using in outbox_databases()}


def _of_database(who: Person, using: str) -> dict[str, Any]:
    found = find(who, using=using)
    rows = list(OutboxEvent.objects.using(using).filter(pk__in=found.events).order_by("pk"))
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
        "attempts": row.attempt_pks,
        "body": json.loads(row.payload) if row.payload else "cleared",
    }
