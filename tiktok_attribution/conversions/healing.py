"""Invalid rows become events once what was wrong has been mended."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.objects import record_object
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.conversions.recorder import Recorded
from tiktok_attribution.events.ids import valid_event_id
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.visitor.object_key import object_key
from tiktok_attribution.visitor.reason import report


def heal(conversion: Conversion, obj: Any, *, using: str) -> Recorded | None:
    """Record again what stands as invalid in the outbox; None if nothing does, or it can't be built still.

    It keeps its time. Rows under another pixel or id, which wasn't known when it failed, are called off.
    """
    try:
        with protected(using):
            rows = _invalid_rows(conversion, obj, using)
            first = rows.order_by("pk").first()
        if first is None:
            return None
        recorded = record_object(conversion, obj, using=using, moment=first.event_time)
        if recorded is not None:
            with protected(using):
                rows.update(state=State.CANCELLED, note=f"Recorded again as {recorded.fact.event_id}.")
        return recorded
    except Exception as error:
        report(error, "%r could not be recorded again", conversion)
        return None


def _invalid_rows(conversion: Conversion, obj: Any, using: str) -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.using(using).filter(
        object_label=conversion.model._meta.label,
        object_pk=object_key(obj.pk),
        name=conversion.event,
        event_id__in={conversion.default_event_id(obj), _own_id(conversion, obj)},
        state=State.INVALID,
    )


def _own_id(conversion: Conversion, obj: Any) -> str:
    try:
        return valid_event_id(conversion.event_id(obj))
    except Exception:
        return ""  # recording it again meets the same, and says so
