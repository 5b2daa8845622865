"""Builds an invalid event again from its object, once the mapping or the object has been mended."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model

from tiktok_attribution.admin.steering.reasons import Unbuilt
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.healing import heal
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.visitor.reason import reason

logger = logging.getLogger("tiktok_attribution")


@errors_without_values
def rebuild(row: OutboxEvent, *, using: str) -> Unbuilt | None:
    """Record the row's conversion again; None when it is invalid no longer. It keeps its time."""
    still = OutboxEvent.objects.using(using).filter(pk=row.pk, state=State.INVALID)
    if not still.exists():
        return None  # mended a moment ago, together with the same event for another pixel
    obj = stored_object(row, using=using)
    if obj is None:
        return Unbuilt.GONE
    conversion = _declared(row, obj)
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


def stored_object(row: OutboxEvent, *, using: str) -> Model | None:
    """The object that a row tells of, if it is still there."""
    try:
        model = apps.get_model(row.object_label)
        found: Model | None = model._base_manager.using(using).filter(pk=row.object_pk).first()
    except (LookupError, ValueError, TypeError, ValidationError):
        return None
    return found


def _declared(row: OutboxEvent, obj: Model) -> Conversion | None:
    """The conversion that the row was recorded for: by its event id, else the only one of its name."""
    named = [conversion for conversion in registry.of(type(obj)) if conversion.event == row.name]
    if len(named) > 1:
        named = [conversion for conversion in named if _event_id(conversion, obj) == row.event_id]
    return named[0] if len(named) == 1 else None


def _event_id(conversion: Conversion, obj: Any) -> str:
    try:
        return conversion.event_id(obj)
    except Exception:
        return ""
