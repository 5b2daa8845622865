"""Where a stored event came from: its object and its declaration."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model

from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.models import OutboxEvent


def object_of(row: OutboxEvent, *, using: str) -> Model | None:
    """The object that a row tells of, if it is still there."""
    try:
        model = apps.get_model(row.object_label)
        found: Model | None = model._base_manager.using(using).filter(pk=row.object_pk).first()
    except (LookupError, ValueError, TypeError, ValidationError):
        return None
    return found


def conversion_of(row: OutboxEvent, obj: Model) -> Conversion | None:
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
