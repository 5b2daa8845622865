"""Give conversions their touches: copy what their credits need, and compute it again when anything of it changes.

- `refresh_stale` computes the conversions that are marked as stale. Everything that changes a conversion marks it:
  a new touch, a link, a refund, a withdrawal, a change of the settings.
- `mark_stale` marks those of a period, `mark_for_settings` all of them once the settings have changed.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timezone
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import Q

from tiktok_attribution import conf
from tiktok_attribution.attribution import credit
from tiktok_attribution.attribution.conversions import is_history_read
from tiktok_attribution.attribution.credited import point_of
from tiktok_attribution.attribution.days import day_of, shop_pixels, zone_of
from tiktok_attribution.attribution.links import Joined, Wanted, attribution_database, visitor_keys
from tiktok_attribution.attribution.stale_days import Day, mark_days
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.failures import report
from tiktok_attribution.models import (
    ConversionPerson,
    ConversionTouch,
    DailyAttribution,
    Heartbeat,
    RecordedConversion,
    Touch,
)
from tiktok_attribution.models.attribution import Source

PAGE_ROWS = 100
MOST_TOUCHES = 200
"""Touches of one conversion that are kept, the newest ones. More come from a test or a robot."""
SETTINGS = "attribution-settings"
"""The heartbeat that holds no moment but a digest of the settings that the credits were computed by."""

_SOURCE = tuple(field.name for field in Source._meta.get_fields())


def refresh_stale(*, until: float, now: float) -> int:
    """Compute stale conversions again until `until` (of time.monotonic). Return how many.

    Several workers may do it at once: a row lock gives each conversion to one of them.
    """
    using, done, after = attribution_database(), 0, 0
    rows = RecordedConversion.objects.using(using).filter(is_stale=True).order_by("pk")
    while pks := list(rows.filter(pk__gt=after).values_list("pk", flat=True)[:PAGE_ROWS]):
        after = pks[-1]
        try:
            done += _refresh(pks, using, now)
        except Exception as error:  # noqa: BLE001 -- one broken row must not stop the others for ever
            report(error, "%s conversions could not be computed; the next round tries again", len(pks))
        if time.monotonic() >= until:
            break
    return done


def mark_stale(*, since: float | None = None, before: float | None = None) -> int:
    """Mark the conversions of a period (epoch seconds, `before` exclusive) to be computed again. Return how many.

    Days that have sums are marked too: in another time zone, nothing may be left on one of them.
    """
    _mark_summed_days(since, before)
    rows = RecordedConversion.objects.using(attribution_database()).order_by("pk")
    if since is not None:
        rows = rows.filter(at__gte=int(since))
    if before is not None:
        rows = rows.filter(at__lt=int(before))
    marked, after = 0, 0
    while pks := list(rows.filter(pk__gt=after).values_list("pk", flat=True)[:1000]):
        after = pks[-1]
        RecordedConversion.objects.using(attribution_database()).filter(pk__in=pks).update(is_stale=True)
        marked += len(pks)
    return marked


def _mark_summed_days(since: float | None, before: float | None) -> None:
    using = attribution_database()
    sums = DailyAttribution.objects.using(using).filter(is_erased=False)
    if since is not None:
        sums = sums.filter(day__gte=day_of(since - credit.DAY_SECONDS, timezone.utc))
    if before is not None:
        sums = sums.filter(day__lte=day_of(before + credit.DAY_SECONDS, timezone.utc))
    days = set(sums.values_list("day", "shop").distinct())
    with transaction.atomic(using=using):
        mark_days(days, using=using)


def mark_for_settings() -> bool:
    """Mark every conversion if windows, joins, other channels, pixels or time zones have changed. Return whether."""
    using, told = attribution_database(), _settings_digest()
    before = seen_at(SETTINGS, using=using)
    if before == told:
        return False
    if before is None:
        beat(SETTINGS, using=using, now=told)
        return False
    if not Heartbeat.objects.using(using).filter(pk=SETTINGS, seen_at=before).update(seen_at=told):
        return False
    mark_stale()
    return True


def _settings_digest() -> float:
    settings = conf.current()
    own = settings.attribution
    zones = sorted((shop, str(zone_of(shop))) for one in settings.marketing_api.values() for shop in one.pixels)
    text = repr((own.windows, own.join, own.other_channels, settings.pixel_code, zones, str(zone_of(""))))
    return float(int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big"))


def _refresh(pks: Sequence[int], using: str, now: float) -> int:
    with transaction.atomic(using=using):
        stale = RecordedConversion.objects.using(using).filter(pk__in=pks, is_stale=True)
        rows = list(stale.order_by("pk").select_for_update())
        # First of all: a change that comes from now on waits for the lock and marks the conversion again.
        stale.filter(pk__in=[row.pk for row in rows]).update(is_stale=False)
        persons = _persons([row.pk for row in rows], using)
        knows_past = any(persons.values()) and is_history_read()
        joined = visitor_keys([Wanted(row.pk, row.visitor_key, persons[row.pk], row.at) for row in rows])
        landings = _landings(rows, joined)
        copies = defaultdict(list)
        for copy in ConversionTouch.objects.using(using).filter(conversion__in=[row.pk for row in rows]):
            copies[copy.conversion_id].append(copy)
        days: set[Day] = set()
        for row in rows:
            theirs = [one for one in landings[row.shop] if one.visitor_key in joined[row.pk].visitor_keys]
            kept = _replace(row, copies[row.pk], theirs, using, now)
            _set(row, _is_new(row, persons[row.pk], using) if knows_past else _told_new(row), joined[row.pk], using)
            days.update(_days_of(row, [*copies[row.pk], *kept]))
        mark_days(days, using=using)
    return len(rows)


def _persons(pks: Collection[int], using: str) -> Mapping[int, frozenset[tuple[str, UUID]]]:
    found: dict[int, set[tuple[str, UUID]]] = {pk: set() for pk in pks}
    rows = ConversionPerson.objects.using(using).filter(conversion__in=pks)
    for pk, identifier, person in rows.values_list("conversion_id", "identifier", "person"):
        found[pk].add((identifier, person))
    return {pk: frozenset(theirs) for pk, theirs in found.items()}


def _landings(rows: Sequence[RecordedConversion], joined: Mapping[int, Joined]) -> Mapping[str, list[Touch]]:
    """Return the touches of all these browsers by the shop of the conversions. One statement.

    Also those before the widest window: a click id counts at its first landing, which may lie before it.
    """
    keys = {key for one in joined.values() for key in one.visitor_keys}
    found: dict[str, list[Touch]] = {row.shop: [] for row in rows}
    if not keys:
        return found
    touches = Touch.objects.using(router.db_for_write(Touch)).filter(
        visitor_key__in=keys, at__lte=max(row.at for row in rows)
    )
    pixels = {shop: shop_pixels(shop) for shop in found}
    for touch in touches:
        for shop, codes in pixels.items():
            if touch.shop in codes:
                found[shop].append(touch)
    return found


def _point(touch: Touch | ConversionTouch) -> credit.TouchPoint:
    if isinstance(touch, ConversionTouch):
        return point_of(touch)
    return credit.TouchPoint(key=touch.pk, at=touch.at, traffic=touch.traffic, click=touch.click_digest)


def _replace(
    row: RecordedConversion, copies: Sequence[ConversionTouch], landings: Iterable[Touch], using: str, now: float
) -> list[ConversionTouch]:
    """Store the touches that this conversion may be given back to, and return them.

    Raw touches are deleted after KEEP_TOUCH_DAYS. Copies of older ones stay.
    """
    settings = conf.current()
    raw = {touch.pk: touch for touch in landings if touch.at <= row.at}
    first = credit.first_landings(map(_point, raw.values()))
    expired = now - settings.keep_touch_days * credit.DAY_SECONDS
    older = {copy.key: copy for copy in copies if copy.at < expired and copy.key not in raw}
    inside = credit.eligible(
        [*first, *map(_point, older.values())],
        at=row.at,
        window=max(settings.attribution.windows),
        placed_at=row.placed_at,
        other_channels=settings.attribution.other_channels,
    )[-MOST_TOUCHES:]
    wanted = [older.get(point.key) or _copy(row, raw[point.key]) for point in inside]
    if sorted(map(_values, wanted)) != sorted(map(_values, copies)):
        stored = ConversionTouch.objects.using(using)
        stored.filter(conversion=row.pk).delete()
        stored.bulk_create([_copy(row, one) for one in wanted], batch_size=200)
    return wanted


def _copy(row: RecordedConversion, touch: Touch | ConversionTouch) -> ConversionTouch:
    """Copy a touch without its click id and its browser."""
    source = {name: getattr(touch, name) for name in _SOURCE}
    key = touch.key if isinstance(touch, ConversionTouch) else touch.pk
    return ConversionTouch(conversion_id=row.pk, at=touch.at, key=key, **source)


def _values(copy: ConversionTouch) -> tuple[Any, ...]:
    return (copy.at, copy.key, *(getattr(copy, name) for name in _SOURCE))


def _set(row: RecordedConversion, is_new: bool | None, joined: Joined, using: str) -> None:
    if (is_new, joined.unjoined) != (row.is_new, row.unjoined):
        same = RecordedConversion.objects.using(using).filter(pk=row.pk)
        same.update(is_new=is_new, unjoined=joined.unjoined)


# Decision: who was found to be a returning customer once stays one. Earlier conversions are deleted after
# KEEP_ATTRIBUTION_DAYS or erased, and a month of the past must not gain new customers by that. "Earlier" is an earlier
# conversion of the same event and shop: a registration does not make the first purchase one of a returning customer.
def _is_new(row: RecordedConversion, persons: Collection[tuple[str, UUID]], using: str) -> bool | None:
    """Return whether a conversion is the first of its person, as far as the declaration or the past tells."""
    told = _told_new(row)
    if told is not None or not persons:
        return told
    earlier = RecordedConversion.objects.using(using).filter(name=row.name, shop=row.shop)
    earlier = earlier.filter(Q(at__lt=row.at) | Q(at=row.at, pk__lt=row.pk))
    return not earlier.filter(persons__person__in={person for _, person in persons}).exists()


def _told_new(row: RecordedConversion) -> bool | None:
    """Return what is known without looking at earlier conversions."""
    return row.declared_new if row.declared_new is not None else False if row.is_new is False else None


def _days_of(row: RecordedConversion, touches: Iterable[ConversionTouch]) -> set[Day]:
    zone = zone_of(row.shop)
    return {(day_of(at, zone), row.shop) for at in (row.at, *(touch.at for touch in touches))}
