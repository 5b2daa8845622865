"""Decide what stays unrecorded: objects whose visitor may have refused in an outage, and objects that were held back.

`may_have_refused` is asked before an object of an outage is recorded. An object counts as refused if nothing of its
visitor was kept: no snapshot, and no declared "consent". `hold_back` marks objects that happened inside `paused()`, or
that came by `bulk_create()` or SQL, so that no later save, webhook or backfill records them.
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

from tiktok_attribution.consent.types import Consent, as_consent
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.recorder import channels_now
from tiktok_attribution.conversions.written import forget_written
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
    """Return True if nothing is known of the visitor of an object that was made in an outage.

    `outages` is called only if it matters. An outage is a time in which refusals could not be stored. The object's own
    times decide: the declared time, and those that its model fills in when it is made. An object without any such time
    may be of any time. An event that was recorded in an outage, or that is invalid, is not asked: its visitor's answer
    was known.
    """
    # Decision: what is not known to be allowed is not sent. A time without refusals is noted, not each order of it.
    # Where no row can be stored, a row for each order can't be stored either. Nor is it known whether a visitor made
    # the object, so this also covers imports and what colleagues enter. A site that knows better says so: by the
    # declaration's "consent", `tiktok_backfill --unknown-consent` or `recheck(obj, unknown_consent=True)`.
    if signals.by_visitor:
        return False  # the visitor's own snapshot was kept, and their answer with it
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
    """Yield first and last moment of each readable time, in epoch seconds. A date is a whole day."""
    now = time()
    for value in _times(conversion, obj, using):
        try:
            first = epoch_seconds(
                value, now=now, default_timezone=timezone.get_default_timezone(), max_age_seconds=int(now)
            )
        except Exception:  # noqa: S112 -- the outbox reports what is wrong with the declared time
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
    """Return the columns that say when the object was made, as far as their definition shows it."""
    dates = [field for field in model._meta.concrete_fields if isinstance(field, DateField)]
    return [str(field.attname) for field in dates if field.auto_now_add or field.default in _NOW]


@errors_without_values
def hold_back(objects: Iterable[Model], *, using: str | None = None) -> None:
    """Never record what these objects count for now, although no event was sent for it.

    For rows of `bulk_create()`, of `QuerySet.update()` or of an import by SQL. Two statements for each object. What an
    object does not count for yet may still be recorded later.
    """
    # Decision: what `paused()` held back gets a mark at its object, stored in the place of a refusal. Such marks last
    # SNAPSHOT_DAYS, and the backfill looks no further back.
    for obj in objects:
        hold_back_one(obj, using=using or obj._state.db or router.db_for_write(type(obj)))


def hold_back_one(obj: Any, *, using: str, but: Collection[int] = ()) -> None:
    """Mark one object. `but` holds the ids of conversions that it counted for before. A condition that raises
    counts."""
    for conversion in registry.of(type(obj)):
        if id(conversion) in but or not any(channels_now(conversion.channels, conversion.event)):
            continue
        with outages.noticing(using), protected(using):
            if _happened(conversion, obj):
                suppress(conversion.event, NOBODY, conversion.model._meta.label, object_key(obj.pk), using=using)
            forget_written(using)


def _happened(conversion: Any, obj: Any) -> bool:
    try:
        return bool(conversion.happened(obj))
    except Exception as error:
        report(error, "can't tell whether %r happened, so it is held back", conversion)
        return True
