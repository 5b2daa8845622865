"""Compute the daily roll-up that the report reads (`DailyAttribution`), from the conversions and their touches.

`refresh_days` computes the days that are marked as stale. A day is computed whole: whoever computes it again gets the
same rows. `parts_of` says what one conversion adds to which day; the erasure of a person uses it too.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, tzinfo
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

from tiktok_attribution import conf
from tiktok_attribution.attribution.code_sums import refresh_codes
from tiktok_attribution.attribution.credit import DAY_SECONDS, REPORT_MODELS
from tiktok_attribution.attribution.credited import Credit, CreditsOf
from tiktok_attribution.attribution.days import bounds_of, day_of, start_of, zone_of
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.attribution.stale_days import finishing, next_stale_day
from tiktok_attribution.failures import report
from tiktok_attribution.models import Clock, ConversionTouch, DailyAttribution, RecordedConversion, StaleDay

PAGE_ROWS = 500
LEAST_DAYS = 2
"""Days that are computed in each round, however long they take: today's must not keep the others waiting."""

_SOURCE = (
    *("traffic", "campaign_id", "campaign_name", "adgroup_id", "adgroup_name", "ad_id", "ad_name"),
    *("placement", "landing_path"),
)


class Key(NamedTuple):
    """What the rows of a day are told apart by."""

    clock: str
    model: str
    window: int
    name: str
    is_new: bool | None
    currency: str
    source: tuple[str, ...]


class Part(NamedTuple):
    """What a conversion adds to a day (in its shop's time zone)."""

    day: date
    key: Key
    credit: Credit


# Decision: the report reads days, as the overview reads hours. Each combination of clock, model and window has rows of
# its own, so a page of the report is one query over one index, and nothing in it has to be divided or rounded again.
def parts_of(conversion: RecordedConversion, touches: Sequence[ConversionTouch], zone: tzinfo) -> Iterator[Part]:
    """Yield what a conversion adds to which day, for every clock, window and model of the report.

    By conversion time all of it counts on the conversion's day. By click time each share counts on the day of its own
    touch, and what no touch led to on the conversion's day.
    """
    own_day = day_of(conversion.at, zone)
    places = {touch.key: (day_of(touch.at, zone), _source_of(touch)) for touch in touches}
    name, is_new, currency = conversion.name, conversion.is_new, conversion.currency
    credited = CreditsOf(conversion, touches)
    for window in conf.current().attribution.windows:
        for model in REPORT_MODELS:
            for credit in credited.by(model, window):
                clicked, source = (own_day, _NOWHERE) if credit.touch is None else places[credit.touch.key]
                for clock, day in ((_BY_CONVERSION, own_day), (_BY_CLICK, clicked)):
                    yield Part(day, Key(clock, model, window, name, is_new, currency, source), credit)


_BY_CONVERSION, _BY_CLICK = Clock.CONVERSION.value, Clock.CLICK.value
_source_of = attrgetter(*_SOURCE)
_NOWHERE = ("",) * len(_SOURCE)


def refresh_days(*, until: float, now: float) -> int:
    """Compute stale days until `until` (of time.monotonic), and LEAST_DAYS in any case. Return how many."""
    using, done = attribution_database(), 0
    tried: set[int] = set()
    while done < LEAST_DAYS or time.monotonic() < until:
        stale = next_stale_day(using=using, now=now, but=tried)
        if stale is None:
            break
        tried.add(stale.pk)
        try:
            refresh_day(stale, using=using, now=now)
        except Exception as error:  # noqa: BLE001 -- one broken day must not stop the others
            report(error, "the attribution of %s could not be computed; a later round tries again", stale.day)
        done += 1
    return done


def refresh_day(stale: StaleDay, *, using: str, now: float) -> None:
    """Compute a leased day and store its rows, if they have changed."""
    zone = zone_of(stale.shop)
    if _is_frozen(stale.day, zone, now):
        with finishing(stale, using=using):
            return
    rows = rows_of(stale.day, stale.shop, using=using)
    stored = DailyAttribution.objects.using(using).filter(day=stale.day, shop=stale.shop, is_erased=False)
    with finishing(stale, using=using) as is_ours:
        if is_ours:
            refresh_codes(stale.day, stale.shop, using=using)
        if is_ours and sorted(map(_figures, rows), key=repr) != sorted(map(_figures, stored), key=repr):
            stored.delete()
            DailyAttribution.objects.using(using).bulk_create(rows, batch_size=200)


def _is_frozen(day: date, zone: tzinfo, now: float) -> bool:
    """Return whether conversions of a day may have been deleted. Then its sums stay as they are."""
    return start_of(day, zone) < now - conf.current().keep_attribution_days * DAY_SECONDS


def rows_of(day: date, shop: str, *, using: str) -> list[DailyAttribution]:
    """Compute the rows of a day of a shop. They are not saved."""
    zone = zone_of(shop)
    start, end = bounds_of(day, zone)
    conversions = RecordedConversion.objects.using(using).filter(shop=shop)
    touched = ConversionTouch.objects.using(using).filter(at__gte=start, at__lt=end, conversion__shop=shop)
    pks = set(conversions.filter(at__gte=start, at__lt=end).values_list("pk", flat=True))
    pks |= set(touched.values_list("conversion_id", flat=True))
    found = with_touches(pks, using=using)
    parts = (part for conversion, touches in found for part in parts_of(conversion, touches, zone))
    return rows_of_parts(parts, shop=shop, only=day)


def with_touches(pks: Collection[int], *, using: str) -> Iterator[tuple[RecordedConversion, list[ConversionTouch]]]:
    """Yield conversions with their touches, in the order of their keys."""
    ordered = sorted(pks)
    for at in range(0, len(ordered), PAGE_ROWS):
        page = ordered[at : at + PAGE_ROWS]
        touches = defaultdict(list)
        for touch in ConversionTouch.objects.using(using).filter(conversion__in=page).order_by("at", "key"):
            touches[touch.conversion_id].append(touch)
        for conversion in RecordedConversion.objects.using(using).filter(pk__in=page).order_by("pk"):
            yield conversion, touches[conversion.pk]


def rows_of_parts(
    parts: Iterable[Part], *, shop: str, only: date | None = None, is_erased: bool = False
) -> list[DailyAttribution]:
    """Add up parts to rows, those of one day or of all. They are not saved."""
    sums: dict[tuple[date, Key], list[Decimal]] = {}
    for day, key, credit in parts:
        if only is not None and day != only:
            continue
        total = sums.setdefault((day, key), [Decimal(0)] * 3)
        for number, amount in enumerate((credit.conversions, credit.value, credit.refunded)):
            total[number] += amount
    return [
        DailyAttribution(
            day=day,
            shop=shop,
            clock=key.clock,
            model=key.model,
            window=key.window,
            name=key.name,
            is_new=key.is_new,
            currency=key.currency,
            conversions=conversions,
            value=value,
            refunded=refunded,
            is_erased=is_erased,
            **dict(zip(_SOURCE, key.source, strict=True)),
        )
        for (day, key), (conversions, value, refunded) in sorted(sums.items(), key=lambda one: repr(one[0]))
    ]


_STEPS = {"conversions": Decimal("1e-9"), "value": Decimal("1e-6"), "refunded": Decimal("1e-6")}


def _figures(row: DailyAttribution) -> tuple[Any, ...]:
    """Return all columns but the key, which each computation makes anew."""
    return tuple(
        getattr(row, field.attname).quantize(_STEPS[field.attname])
        if field.attname in _STEPS
        else getattr(row, field.attname)
        for field in DailyAttribution._meta.concrete_fields
        if not field.primary_key
    )
