"""Pixels and event names that occur, by hops over an index: one look a kind, however many events are of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tiktok_attribution.models import EventBody

MOST = 200
"""Looks; the events of a site that makes up more kinds are found by search."""


class EventType(NamedTuple):
    """What `EventBody.type_key` is the digest of."""

    pixel_code: str
    name: str


def event_types(using: str) -> Iterator[EventType]:
    """In no order that means anything."""
    stored = EventBody.objects.using(using).filter(event__isnull=False).order_by("type_key")
    bodies = stored.values_list("type_key", "event__pixel_code", "event__name")
    found = bodies.first()
    for _ in range(MOST):
        if found is None:
            return
        type_key, pixel_code, name = found
        yield EventType(pixel_code, name)
        found = bodies.filter(type_key__gt=type_key).first()
