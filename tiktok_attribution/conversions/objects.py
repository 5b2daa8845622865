"""An object that has just been saved: as the site holds it, and as its row tells.

From an object of the site, and what is declared of it, to a fact.

Invalid rows become events once what was wrong has been fixed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from tiktok_attribution import conf
from tiktok_attribution.consent.decision import Decision, Reason, as_consent, denied
from tiktok_attribution.conversions import recorded as ongoing
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.conversions.conversion import VISITOR, Conversion
from tiktok_attribution.conversions.event_source import AGREED, Built, EventSource
from tiktok_attribution.conversions.maker import signals_for
from tiktok_attribution.conversions.person import maker_of
from tiktok_attribution.conversions.recorder import Recorded, permitted, record
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
    """`update_fields` are those of the save, None for a whole one."""

    def __init__(self, instance: Any, update_fields: Collection[str] | None, using: str) -> None:
        self.instance = instance
        self.update_fields = update_fields
        self.using = using

    @cached_property
    def seen(self) -> Any:
        """Good enough to tell whether it counts: the instance, unless a value of it is an expression."""
        return self.row if self._has_expressions else self.instance

    @cached_property
    def row(self) -> Any:
        """What the event is made of. After a save of some fields the others may be stale, or were never saved."""
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


def has_expressions(instance: Any) -> bool:
    """True for `order.total = F("total") + 1`: only the database knows the value."""
    given = instance.__dict__
    return any(hasattr(given.get(field.attname), "resolve_expression") for field in instance._meta.concrete_fields)


def stored(obj: Any, *, using: str) -> Any:
    """The object as the database has it, None if it isn't there."""
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

    `maker` is who makes the object right now. Later, in whatever request, the snapshot from when it was made is used:
    the request may be a webhook's; of an object that was `just_made` there can be none. `broken` is why it can't be
    told whether it happened; `moment` its time, in epoch seconds, where the declaration knows none: of one that stands
    as invalid, so that it did count. With `unknown_consent` an object of an outage is recorded too.
    """
    maker = maker_of(conversion, obj, maker, using=using)
    signals = signals_for(conversion, obj, maker, using, just_made=just_made)
    if conversion.made_by == VISITOR and not signals.by_visitor and moment is None:
        return None  # an import, a shell, a colleague
    source = source_of(conversion, obj, signals, using=using, broken=broken, moment=moment, maker=maker)
    # Of what was just made it is known who sends the request; of what was made before, only what was kept then.
    is_known = unknown_consent or just_made or moment is not None or source.decision.is_denied
    if not is_known and may_have_refused(conversion, obj, signals, partial(outages.known_lately, using), using=using):
        source = replace(source, decision=denied(Reason.UNKNOWN))
    if not source.pixel_codes and signals.pixel_codes == ():
        return None  # made in a shop that has no pixel
    opened = connections[using].in_atomic_block
    recorded = record(source, None if maker is None else maker.shopper)
    if recorded is not None and opened:
        ongoing.note(conversion, obj.pk, recorded, using=using)
    return recorded


def renewed(conversion: Conversion, obj: Any, recorded: Recorded) -> EventSource:
    """The fact as the object tells it now, with the visitor and the moment of the first time."""
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
    """The fact that a conversion of this object happened. Building it raises whatever the declaration does."""
    event_id, codes = "", None
    decision = AGREED  # where it can't be told: then the event can't be built either, and says so
    try:
        with protected(using):
            event_id = valid_event_id(conversion.event_id(obj))
            decision = _decision(conversion, obj, signals, maker)  # a refusal is heard whatever the pixel is
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
    """The veto first, then the circumstances of the request that makes it, the object's own word, its visitor's will.

    Whoever else saves it later, a webhook or a colleague, decides nothing by the circumstances of that request.
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
    """The pixels under which an event is listed as invalid where its own can't be told."""
    try:
        return pixel_codes(None, signals.pixel_codes)
    except InvalidEvent:
        return conf.current().pixel_code


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
        return ""  # recording it again meets the same, and says so
