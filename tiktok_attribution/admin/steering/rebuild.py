"""Builds an invalid event again from its object, once the mapping or the object has been fixed."""

from __future__ import annotations

import logging

from tiktok_attribution.admin.steering.reasons import Unbuilt
from tiktok_attribution.conversions.building import conversion_of, object_of
from tiktok_attribution.conversions.objects import heal
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import reason
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.transactions import protected

logger = logging.getLogger("tiktok_attribution")


@errors_without_values
def rebuild(row: OutboxEvent, *, using: str) -> Unbuilt | None:
    """Record the row's conversion again; None when it is invalid no longer. It keeps its time."""
    still = OutboxEvent.objects.using(using).filter(pk=row.pk, state=State.INVALID)
    if not still.exists():
        return None  # fixed a moment ago, together with the same event for another pixel
    obj = object_of(row, using=using)
    if obj is None:
        return Unbuilt.GONE
    conversion = conversion_of(row, obj)
    if conversion is None:
        return Unbuilt.UNDECLARED
    try:
        with protected(using):
            happened = conversion.happened(obj)
        if not happened:
            return Unbuilt.NOT_HAPPENED
        heal(conversion, obj, using=using)
    except Exception as error:  # a declaration may raise anything, and with STRICT so does the recorder
        logger.warning("tiktok: %s %s is still invalid: %s", row.name, row.event_id, reason(error))
    return Unbuilt.STILL if still.exists() else None
