"""May an object's visitor have refused in an outage, so that nobody knows it?

What can't be known to be allowed is not sent. An object of an outage counts as refused where nothing was kept of its
visitor: neither a snapshot, nor the word of its declaration ("consent") that its person agrees. Whether a visitor made
it at all can't be known then either, so it holds for imports and for what colleagues enter too. Who does know says so:
by "consent", by `tiktok_backfill --unknown-consent`, or by `recheck(obj, unknown_consent=True)`.

An event that was recorded in an outage, or stands as invalid, is none of this: its visitor's answer was there.

The mark at an object that its event is not to be recorded, for it happened inside `paused()`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from time import time
from typing import Any

from django.db import router
from django.db.models import DateField, Model
from django.utils import timezone

from tiktok_attribution.consent.decision import Consent, as_consent
from tiktok_attribution.conversions import registry, written
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.recorder import channels_now
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.outages import Outage
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.times import epoch_seconds
from tiktok_attribution.failures import report
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.snapshot import NOBODY, Signals, suppress

DAY = 86_400
_NOW = (timezone.now, timezone.localdate, datetime.now, date.today)


def may_have_refused(
    conversion: Conversion, obj: Any, signals: Signals, outages: Callable[[], Sequence[Outage]], *, using: str
) -> bool:
    """True for an object of an outage of whose visitor nothing is known. `outages` is asked only where it matters.

    Its own times decide: the declared one, and those that its model fills in when it is made. One without any could
    be of any time.
    """
    if signals.by_visitor:
        return False  # the visitor's own snapshot was kept, and with it what they said
    try:
        with protected(using):
            found = outages()
            if not found or as_consent(conversion.consent(obj)) is Consent.GRANTED:
                return False
    except Exception as error:
        report(error, "can't tell whether the visitor of an object refused, so it is not recorded")
        return True
    spans = list(_spans(conversion, obj, using))
    return not spans or any(outage.may_hold(*span) for outage in found for span in spans)


def _spans(conversion: Conversion, obj: Any, using: str) -> Iterator[tuple[float, float]]:
    """First and last moment of each time that can be read; a date is a whole day."""
    now = time()
    for value in _times(conversion, obj, using):
        try:
            first = epoch_seconds(
                value, now=now, default_timezone=timezone.get_default_timezone(), max_age_seconds=int(now)
            )
        except Exception:  # noqa: S112 -- what is wrong with the declared time is for the outbox to say
            continue
        is_date = isinstance(value, date) and not isinstance(value, datetime)
        yield first, first + (DAY if is_date or (isinstance(value, str) and ":" not in value) else 0)


def _times(conversion: Conversion, obj: Any, using: str) -> Iterator[Any]:
    try:
        with protected(using):
            declared = conversion.event_time(obj)
    except Exception:
        declared = None
    model: type[Model] = type(obj)
    made = [getattr(obj, name) for name in _filled_when_made(model)]
    yield from (value for value in (declared, *made) if value is not None)


@lru_cache
def _filled_when_made(model: type[Model]) -> list[str]:
    """Columns that say when the object was made, as far as their definition shows it."""
    dates = [field for field in model._meta.concrete_fields if isinstance(field, DateField)]
    return [str(field.attname) for field in dates if field.auto_now_add or field.default in _NOW]


@errors_without_values
def hold_back(objects: Iterable[Model], *, using: str | None = None) -> None:
    """Never record what these objects count for by now, though no event tells of it: rows of `bulk_create()`, of
    `QuerySet.update()` or of an import by SQL. Two statements an object; what is not counted yet may still count."""
    for obj in objects:
        hold_back_one(obj, using=using or obj._state.db or router.db_for_write(type(obj)))


def hold_back_one(obj: Any, *, using: str, but: Collection[int] = ()) -> None:
    """`but` are the ids of conversions that it counted for before. What can't be told is held back."""
    for conversion in registry.of(type(obj)):
        if id(conversion) in but or not any(channels_now(conversion.channels, conversion.event)):
            continue
        with outages.noticing(using), protected(using):
            if _happened(conversion, obj):
                suppress(conversion.event, NOBODY, conversion.model._meta.label, object_key(obj.pk), using=using)
            written.forget(using)


def _happened(conversion: Any, obj: Any) -> bool:
    try:
        return bool(conversion.happened(obj))
    except Exception as error:
        report(error, "can't tell whether %r happened, so it is held back", conversion)
        return True
