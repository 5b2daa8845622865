"""What occurs in the outbox, found without reading the outbox: pixels, event names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import router

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.models import Lane, OutboxEvent, PixelStatus

MOST_NAMES = 40
"""Looks at the index for names; the rest of a site that makes up more of them is found by search."""


def pixels() -> list[str]:
    """Configured pixels first, then those that have ever sent or been stopped."""
    using = router.db_for_read(OutboxEvent)
    sent = Lane.objects.using(using).order_by("pixel_code").values_list("pixel_code", flat=True).distinct()
    stopped = PixelStatus.objects.using(using).order_by("pk").values_list("pk", flat=True)
    return list(dict.fromkeys([*conf.current().pixel_code, *sent, *stopped]))


def names(pixel_codes: Iterable[str]) -> list[str]:
    """Names of events that are declared or stored for these pixels, in the order of the alphabet."""
    found = {conversion.event for conversion in registry.every()}
    looks = 0
    for pixel_code in pixel_codes:
        for name in _stored_names(pixel_code):
            found.add(name)
            looks += 1
            if looks >= MOST_NAMES:
                return sorted(found)
    return sorted(found)


def _stored_names(pixel_code: str) -> Iterator[str]:
    """By hops over the unique index: one look a name, however many rows have it."""
    rows = OutboxEvent.objects.using(router.db_for_read(OutboxEvent)).filter(pixel_code=pixel_code)
    name: str | None = ""
    while True:
        name = rows.filter(name__gt=name).order_by("name").values_list("name", flat=True).first()
        if name is None:
            return
        yield name
