"""Assertions for your own tests: what was recorded in the outbox, and what would be sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tiktok_attribution.models import OutboxEvent

MISSING = object()


def recorded(name: str = "", *, event_id: str = "") -> list[dict[str, Any]]:
    """Return the events of the outbox as TikTok would get them, oldest first, filtered by name and event_id.

    Each has "state" and "note" beside the keys of the wire format. An invalid event has only name, id, state and note.
    """
    rows = OutboxEvent.objects.order_by("pk")
    if name:
        rows = rows.filter(name=name)
    if event_id:
        rows = rows.filter(event_id=event_id)
    return [_as_sent(row) for row in rows]


def _as_sent(row: OutboxEvent) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(row.payload) if row.payload else {}
    return {"event": row.name, "event_id": row.event_id, **body, "state": row.state, "note": row.note}


def assert_tracked(name: str, *, times: int = 1, **expected: Any) -> dict[str, Any]:
    """Assert that an event was recorded `times` times, and return the last one.

    `expected` are properties (`value=19.9`), or keys of the event with two underscores between the steps
    (`user__ttclid="E.C.P…"`, `page__url=…`). The message of the AssertionError shows what was recorded instead.
    """
    found = recorded(name)
    if len(found) != times:
        others = ", ".join(f"{event['event']} ({event['state']})" for event in recorded()) or "nothing"
        raise AssertionError(f"{name} was recorded {len(found)} times, not {times}. Recorded: {others}.")
    if not found:
        return {}
    event = found[-1]
    if event["state"] == "invalid":
        raise AssertionError(f"{name} was recorded as invalid: {event['note']}")
    for key, value in expected.items():
        actual = _look_up(event, key)
        if actual != value:
            shown = "not there" if actual is MISSING else repr(actual)
            raise AssertionError(f"{key} of {name} is {shown}, not {value!r}. The event: {json.dumps(event, indent=2)}")
    return event


def assert_not_tracked(name: str = "") -> None:
    """Assert that no event was recorded, or none of this name."""
    found = recorded(name)
    if found:
        raise AssertionError(f"{len(found)} recorded: {json.dumps(found, indent=2)}")


def _look_up(event: Mapping[str, Any], key: str) -> Any:
    value: Any = event.get("properties", {})
    if "__" in key:
        value, steps = event, key.split("__")
    else:
        steps = [key]
    for step in steps:
        value = value.get(step, MISSING) if isinstance(value, Mapping) else MISSING
    return value
