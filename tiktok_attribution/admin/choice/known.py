"""What occurs in the outbox, found without reading the outbox: pixels, event names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from django.db import router

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.delivery.search import event_types
from tiktok_attribution.models import Lane, OutboxEvent, PixelStatus

MOST_TYPES = 40
"""Looked at for the filter's names; the rest of a site that makes up more of them is found by search."""


def pixels() -> list[str]:
    """Configured pixels first, then those that have ever sent or been stopped."""
    using = router.db_for_read(OutboxEvent)
    sent = Lane.objects.using(using).order_by("pixel_code").values_list("pixel_code", flat=True).distinct()
    stopped = PixelStatus.objects.using(using).order_by("pk").values_list("pk", flat=True)
    return list(dict.fromkeys([*conf.current().pixel_code, *sent, *stopped]))


def names(pixel_codes: Iterable[str]) -> list[str]:
    """Names of events that are declared or stored for these pixels, in the order of the alphabet."""
    wanted = set(pixel_codes)
    seen = islice(event_types(router.db_for_read(OutboxEvent)), MOST_TYPES)
    stored = (type_key.name for type_key in seen if type_key.pixel_code in wanted)
    return sorted({conversion.event for conversion in registry.every()}.union(stored))
