"""Build the source of an event from an object of the site and its declaration, and record it.

`Saved` gives the object of a save as the site holds it, and as its row holds it. `source_of` builds the event source,
`record_object` records it. `heal` records an invalid event again after its cause has been fixed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Decision, Reason, as_consent, denied
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.conversions.conversion import VISITOR, Conversion
from tiktok_attribution.conversions.event_source import AGREED, Built, EventSource
from tiktok_attribution.conversions.maker import signals_for
from tiktok_attribution.conversions.person import maker_of
from tiktok_attribution.conversions.recorded import Recorded, note_recorded
from tiktok_attribution.conversions.recorder import permitted, record
from tiktok_attribution.conversions.suppression import may_have_refused
from tiktok_attribution.delivery import outages
from tiktok_attribution.events.ids import valid_event_id, valid_pixel_codes
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import report
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.snapshot import Signals
from tiktok_attribution.visitor.visitor import Requester, made_under


class Saved:
    """An object that has just been saved. `update_fields` are those of the save, None if all were saved."""

    def __init__(self, instance: Any, update_fields: Collection[str] | None, using: str) -> None:
        self.instance = instance
        self.update_fields = update_fields
        self.using = using

    @cached_property
    def seen(self) -> Any:
        """Return what the condition is tested on: the instance, or its row if a value of it is an expression."""
        return self.row if self._has_expressions else self.instance

    @cached_property
    def row(self) -> Any:
        """Return what the event is built from. After a save of some fields, the other values of the instance may be
        stale or unsaved, so the row is read again."""
        if self.update_fields is None and not self._has_expressions:
            return self.instance
        try:
            with protected(self.using):
                return stored(self.instance, using=self.using) or self.instance
        except Exception as error:
            report(error, "%s could not be read again", type(self.instance).__name__)
            return self.instance

    @cached_property
    def _has_expressions(self) -> bool:
        return has_expressions(self.instance)


_PLAIN = frozenset({str, int, float, bool, Decimal, datetime, type(None)})


def _is_expression(value: object) -> bool:
    return hasattr(value, "resolve_expression")


def has_expressions(instance: Any) -> bool:
    """Return True for values such as `order.total = F("total") + 1`, which only the database knows."""
    given = instance.__dict__
    found = [given.get(field.attname) for field in instance._meta.concrete_fields]
    return any(map(_is_expression, [value for value in found if type(value) not in _PLAIN]))


def stored(obj: Any, *, using: str) -> Any:
    """Return the object as the database has it, None if it is not there."""
    return type(obj)._base_manager.using(using).filter(pk=obj.pk).first()


def record_object(
    conversion: Conversion,
    obj: Any,
    *,
    using: str,
    maker: Requester | None = None,
    just_made: bool = False,
    broken: Exception | None = None,
    moment: int | None = None,
    unknown_consent: bool = False,
) -> Recorded | None:
    """Record a conversion of an object, as `record` does.

    - `maker`: who makes the object right now. For a later save, the snapshot from when it was made is used instead,
      because the request may be a webhook. An object that was `just_made` has no snapshot yet.
    - `broken`: the error that the declaration raised when it was asked whether the object counts.
    - `moment`: the time of an invalid event, in epoch seconds, used where the declaration gives no time. An invalid
      event did count.
    - `unknown_consent`: record the object even if its visitor may have refused in an outage.
    """
    maker = maker_of(conversion, obj, maker, using=using)
    signals = signals_for(conversion, obj, maker, using, just_made=just_made)
    if conversion.made_by == VISITOR and not signals.by_visitor and moment is None:
        return None  # an import, a shell or a colleague made it
    source = source_of(conversion, obj, signals, using=using, broken=broken, moment=moment, maker=maker)
    # The sender of this request is known for what was just made. For older objects only the stored snapshot is known.
    is_known = unknown_consent or just_made or moment is not None or source.decision.is_denied
    if not is_known and may_have_refused(conversion, obj, signals, partial(outages.known_lately, using), using=using):
        source = replace(source, decision=denied(Reason.UNKNOWN))
    if not source.pixel_codes and signals.pixel_codes == ():
        return None  # made in a shop that has no pixel
    opened = connections[using].in_atomic_block
    recorded = record(source, None if maker is None else maker.shopper)
    if recorded is not None and opened:
        note_recorded(conversion, obj.pk, recorded, using=using)
    return recorded


def renewed(conversion: Conversion, obj: Any, recorded: Recorded) -> EventSource:
    """Build the event source again from the object's current values, with the visitor and the time of the first one."""
    first = recorded.source
    return source_of(conversion, obj, first.signals, using=first.using, moment=recorded.event.event_time)


def source_of(
    conversion: Conversion,
    obj: Any,
    signals: Signals,
    *,
    using: str,
    broken: Exception | None = None,
    moment: int | None = None,
    maker: Requester | None = None,
) -> EventSource:
    """Build the source of an event from an object. `build` of the result raises whatever the declaration raises."""
    event_id, codes = "", None
    decision = AGREED  # used if the decision can't be made: then the event can't be built either, and is invalid
    try:
        with protected(using):
            event_id = valid_event_id(conversion.event_id(obj))
            decision = _decision(conversion, obj, signals, maker)  # a refusal counts whatever the pixel is
            codes = _codes(conversion.pixels(obj), signals)
    except Exception as error:
        broken = broken or error

    def build() -> Built:
        if broken is not None:
            raise broken
        keys, notes = conversion.hashed_user(obj)
        properties = conversion.properties(obj)
        declared = conversion.event_time(obj)
        event, more = build_event(
            conversion.event,
            event_id=event_id,
            event_time=moment if declared is None else declared,
            user=keys.merged(signals.user),
            page=signals.page,
            properties=properties,
            limited_data_use=decision.limited_data_use,
        )
        has_contents = "contents" in properties
        empty = has_contents and not event.properties.get("contents")
        if empty:
            more.append("contents are empty: catalogue ads can't tell what was bought")
        return Built(event, [*notes, *more], has_contents=has_contents, incomplete=empty)

    def again(moment: int) -> EventSource | None:
        fresh = stored(obj, using=using)
        return None if fresh is None else source_of(conversion, fresh, signals, using=using, moment=moment)

    return EventSource(
        name=conversion.event,
        event_id=event_id or conversion.default_event_id(obj),
        build=build,
        using=using,
        pixel_codes=_codes_of_broken(signals) if codes is None else codes,
        channels=conversion.channels,
        object_label=conversion.model._meta.label,
        object_pk=object_key(obj.pk),
        signals=signals,
        decision=decision,
        tables=conversion.tables,
        again=again,
    )


def _decision(conversion: Conversion, obj: Any, signals: Signals, maker: Requester | None) -> Decision:
    """Decide whether the event may go. In this order: the veto, the circumstances of the request that makes the object,
    the object's own consent, its visitor's will.

    The circumstances of a later request, of a webhook or a colleague, decide nothing.
    """
    if conversion.skip(obj) or conversion.event in signals.suppressed:
        return denied(Reason.VETO)
    circumstance = made_under(conversion.model._meta.label, obj.pk) if maker is None else maker.circumstance
    if circumstance is not None:
        return denied(circumstance)
    return permitted(as_consent(conversion.consent(obj)), signals.decision)


def _codes(declared: Sequence[str], signals: Signals) -> Sequence[str]:
    if signals.pixel_codes is None:
        return pixel_codes(None, declared)
    return valid_pixel_codes(declared) or valid_pixel_codes(signals.pixel_codes)


def _codes_of_broken(signals: Signals) -> Sequence[str]:
    """Return the pixels under which an invalid event is listed if its own pixels are unknown."""
    try:
        return pixel_codes(None, signals.pixel_codes)
    except InvalidEvent:
        return conf.current().pixel_code


def heal(conversion: Conversion, obj: Any, *, using: str) -> Recorded | None:
    """Record an invalid event again. Return None if the outbox has none, or if it still can't be built.

    The event keeps its time. Its invalid rows under another pixel or id are cancelled: the right one was not known when
    it failed.
    """
    # Decision: a row that was recorded as invalid is replaced once the declaration has been fixed. Event ids come from
    # the object, so the fixed event has the same id and can't count twice.
    try:
        with protected(using):
            rows = list(_invalid_rows(conversion, obj, using).order_by("pk").only("event_time"))
        if not rows:
            return None
        recorded = record_object(conversion, obj, using=using, moment=rows[0].event_time)
        if recorded is not None:
            with protected(using):
                # Filter by primary key. The state is checked in the narrow table, so a row that another process has
                # made valid meanwhile is not touched. A filter by event_id would use the table of bodies and not check
                # again.
                left = OutboxEvent.objects.using(using).with_keys(row.pk for row in rows).in_state(State.INVALID)
                left.update(state=State.CANCELLED, note=f"Recorded again as {recorded.source.event_id}.")
        return recorded
    except Exception as error:
        report(error, "%r could not be recorded again", conversion)
        return None


def _invalid_rows(conversion: Conversion, obj: Any, using: str) -> QuerySet[OutboxEvent]:
    objects = [(conversion.model._meta.label, object_key(obj.pk))]
    return (
        OutboxEvent.objects.using(using)
        .of_objects(objects)
        .filter(
            name=conversion.event,
            event_id__in={conversion.default_event_id(obj), _own_id(conversion, obj)},
            state=State.INVALID,
        )
    )


def _own_id(conversion: Conversion, obj: Any) -> str:
    try:
        return valid_event_id(conversion.event_id(obj))
    except Exception:
        return ""  # recording it again meets the same error and reports it
