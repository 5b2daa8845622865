"""One page of a choice of events out of a table of any size, in a number of rows looked at that is known beforehand.

No index fits every filter together with the order of the keys. So the newest keys are looked through first, in
stretches that grow; where they hold too little, an index that fits is asked, as far as what it names is few; and where
there is none, the page says how far it has looked and the reader asks for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from tiktok_attribution.delivery.event_filter import SLACK_SECONDS, EventFilter
from tiktok_attribution.delivery.event_types import MOST, EventType, event_types
from tiktok_attribution.models import FAILED_STATES, EventBody, OutboxEvent, State, type_key_of

WIDTHS = (2_000, 20_000, 200_000)
FEW = 5_000
"""Rows that an index may name for one page: they are put into order here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysetPage:
    """Keys in the order of the walk, at most as many as were asked for.

    `looked_to` is the last key that was looked at where the walk has ended early; None where nothing lies beyond it.
    """

    pks: list[int]
    looked_to: int | None = None


def newest(rows: QuerySet[OutboxEvent], chosen: EventFilter, *, most: int, before: int | None = None) -> KeysetPage:
    """The newest of these rows, from below the key `before`."""
    return _walk(rows, chosen, most, before, newer=False)


def oldest(rows: QuerySet[OutboxEvent], chosen: EventFilter, *, most: int, after: int) -> KeysetPage:
    """The next newer ones than the key `after`, the oldest of them first."""
    return _walk(rows, chosen, most, after, newer=True)


def _walk(rows: QuerySet[OutboxEvent], chosen: EventFilter, most: int, start: int | None, *, newer: bool) -> KeysetPage:
    order = "pk" if newer else "-pk"
    if not chosen:
        beyond = rows if start is None else rows.filter(_beyond(start, newer=newer))
        return KeysetPage(pks=list(beyond.order_by(order).values_list("pk", flat=True)[:most]))
    pks: list[int] = []
    low, high = _ends(chosen, rows.db)
    at = high if start is None else start
    at = max(at, low - 1) if newer else min(at, high)
    for width in WIDTHS:
        end = at + width if newer else at - width
        page = Q(pk__gt=at, pk__lte=end) if newer else Q(pk__lt=at, pk__gte=end)
        pks += rows.filter(page).order_by(order).values_list("pk", flat=True)[: most - len(pks)]
        at = end
        if len(pks) >= most or (at >= high - 1 if newer else at <= low):
            return KeysetPage(pks=pks)
    named = _named_by_index(chosen, at, rows.db, newer=newer)
    if named is None:
        return KeysetPage(pks=pks, looked_to=at)
    fitting = rows.filter(_beyond(at, newer=newer), pk__in=named.pks).order_by(order).values_list("pk", flat=True)
    pks += fitting[: most - len(pks)]
    return KeysetPage(pks=pks, looked_to=None if len(pks) >= most else named.looked_to)


def _beyond(pk: int, *, newer: bool) -> Q:
    return Q(pk__gt=pk) if newer else Q(pk__lt=pk)


def _ends(chosen: EventFilter, using: str) -> tuple[int, int]:
    """The least key and one above the highest that the choice can have."""
    keys = OutboxEvent.objects.using(using).values_list("pk", flat=True)
    low, high = chosen.keys(using=using)
    low = low if low is not None else (keys.order_by("pk").first() or 1)
    return low, high if high is not None else (keys.order_by("-pk").first() or 0) + 1


def _named_by_index(chosen: EventFilter, at: int, using: str, *, newer: bool) -> KeysetPage | None:
    """Few keys, by the one condition of the choice that an index knows; the others are not asked here."""
    rows = OutboxEvent.objects.using(using)
    if chosen.state in (*FAILED_STATES, State.AWAITING_CONSENT):
        return _by_time(rows.filter(state=chosen.state), at, newer=newer)
    if chosen.state == State.WAITING:
        return _all_of([rows.filter(due_at__isnull=False).order_by("pixel_code", "lane", "due_at")])
    if chosen.name or chosen.pixel_code:
        fitting = _types_of(chosen, using)
        bodies = EventBody.objects.using(using)
        return (
            None
            if fitting is None
            else _all_of([bodies.filter(type_key=type_key_of(*type_key)) for type_key in fitting])
        )
    return None


def _types_of(chosen: EventFilter, using: str) -> list[EventType] | None:
    """Those of this name, this pixel or both; None where too many are stored to know."""
    if chosen.name and chosen.pixel_code:
        return [EventType(chosen.pixel_code, chosen.name)]
    stored = list(event_types(using))
    if len(stored) >= MOST:
        return None
    return [type_key for type_key in stored if chosen.name == type_key.name or chosen.pixel_code == type_key.pixel_code]


def _by_time(rows: QuerySet[OutboxEvent], at: int, *, newer: bool) -> KeysetPage:
    """By an index in the order of time, which is nearly that of the keys: from the moment of the key `at`."""
    near = OutboxEvent.objects.using(rows.db).filter(pk__gte=at).order_by("pk").values_list("created_at", flat=True)
    moment = near.first()
    if moment is not None:
        slack = timedelta(seconds=SLACK_SECONDS)
        rows = rows.filter(created_at__gte=moment - slack) if newer else rows.filter(created_at__lte=moment + slack)
    pks = list(rows.order_by("created_at" if newer else "-created_at").values_list("pk", flat=True)[:FEW])
    return KeysetPage(pks=pks, looked_to=None if len(pks) < FEW else pks[-1])


def _all_of(ways: Sequence[QuerySet[Any]]) -> KeysetPage | None:
    """Every key, unless there are too many to be put into order here; in no order, or in the index's own."""
    pks: list[int] = []
    for rows in ways:
        pks += rows.values_list("pk", flat=True)[: FEW + 1 - len(pks)]
        if len(pks) > FEW:
            return None
    return KeysetPage(pks=pks)
