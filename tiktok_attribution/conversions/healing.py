"""Invalid rows become events once what was wrong has been fixed."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.objects import record_object
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.conversions.recorder import Recorded
from tiktok_attribution.events.ids import valid_event_id
from tiktok_attribution.models import OutboxEvent, State, events_of
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.visitor.reason import report


def heal(conversion: Conversion, obj: Any, *, using: str) -> Recorded | None:
    """Record again what stands as invalid in the outbox; None if nothing does, or it can't be built still.

    It keeps its time. Rows under another pixel or id, which wasn't known when it failed, are called off.
    """
    try:
        with protected(using):
            rows = list(_invalid_rows(conversion, obj, using).order_by("pk").only("event_time"))
        if not rows:
            return None
        recorded = record_object(conversion, obj, using=using, moment=rows[0].event_time)
        if recorded is not None:
            with protected(using):
                # By their keys: a state that is asked beside an event_id, in the table of bodies, is not asked again
                # of a row that somebody else has made valid meanwhile.
                left = OutboxEvent.objects.using(using).filter(pk__in=[row.pk for row in rows], state=State.INVALID)
                left.update(state=State.CANCELLED, note=f"Recorded again as {recorded.source.event_id}.")
        return recorded
    except Exception as error:
        report(error, "%r could not be recorded again", conversion)
        return None


def _invalid_rows(conversion: Conversion, obj: Any, using: str) -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.using(using).filter(
        events_of([(conversion.model._meta.label, object_key(obj.pk))]),
        name=conversion.event,
        event_id__in={conversion.default_event_id(obj), _own_id(conversion, obj)},
        state=State.INVALID,
    )


def _own_id(conversion: Conversion, obj: Any) -> str:
    try:
        return valid_event_id(conversion.event_id(obj))
    except Exception:
        return ""  # recording it again meets the same, and says so
