"""Pixels and event names that occur, by hops over an index: one look a kind, however many events are of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tiktok_attribution.models import EventBody

MOST = 200
"""Looks; the events of a site that makes up more kinds are found by search."""


class Kind(NamedTuple):
    """What `EventBody.kind` is the digest of."""

    pixel_code: str
    name: str


def kinds(using: str) -> Iterator[Kind]:
    """In no order that means anything."""
    stored = EventBody.objects.using(using).filter(event__isnull=False).order_by("kind")
    bodies = stored.values_list("kind", "event__pixel_code", "event__name")
    found = bodies.first()
    for _ in range(MOST):
        if found is None:
            return
        kind, pixel_code, name = found
        yield Kind(pixel_code, name)
        found = bodies.filter(kind__gt=kind).first()
