"""Where a moment lies in the outbox, without an index over moments: keys and `created_at` grow together.

Pixels and event names that occur, by hops over an index: one look a kind, however many events are of it.

Rows by a list of keys, as one parameter where the database takes an array: a thousand placeholders cost as much to
write and to parse as marking the rows does.

A filter of events, as the admin offers it: validated data, a condition, and the range of keys it can lie in.

One page of a choice of events out of a table of any size, in a number of rows looked at that is known beforehand.

No index fits every filter together with the order of the keys. So the newest keys are looked through first, in
stretches that grow; where they hold too little, an index that fits is asked, as far as what it names is few; and where
there is none, the page says how far it has looked and the reader asks for more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import BooleanField, F, Func, Q, QuerySet, Value

from tiktok_attribution.models import ERASED, FAILED_STATES, Attempt, EventBody, OutboxEvent, State, moment, type_key_of


def first_pk_since(moment: datetime, *, using: str) -> int:
    """The key of the first event recorded at that moment or later; one above the highest where there is none.

    Bisection over the primary key, about log2 of the table in look-ups. Transactions that commit out of order make it
    wrong by as many rows, so who needs it exact starts a while earlier and compares `created_at`.
    """
    rows = OutboxEvent.objects.using(using)
    first = rows.order_by("pk").values_list("pk", flat=True).first()
    last = rows.newest_first().values_list("pk", flat=True).first()
    if first is None or last is None:
        return 1
    low, high = first, last + 1
    while low < high:
        middle = (low + high) // 2
        near = rows.filter(pk__gte=middle).order_by("pk").values_list("pk", "created_at")[:1]
        pk, created_at = near[0] if near else (high, None)
        if created_at is None or created_at >= moment:
            high = middle
        else:
            low = pk + 1
    return high


MOST = 200
"""Looks; the events of a site that makes up more kinds are found by search."""


class EventType(NamedTuple):
    """What `EventBody.type_key` is the digest of."""

    pixel_code: str
    name: str


def event_types(using: str) -> Iterator[EventType]:
    """In no order that means anything."""
    stored = EventBody.objects.using(using).filter(event__isnull=False).order_by("type_key")
    bodies = stored.values_list("type_key", "event__pixel_code", "event__name")
    found = bodies.first()
    for _ in range(MOST):
        if found is None:
            return
        type_key, pixel_code, name = found
        yield EventType(pixel_code, name)
        found = bodies.filter(type_key__gt=type_key).first()


class _EqualsAny(Func):
    """`pk = ANY(array)` of PostgreSQL."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY("
    conditional = True

    def __init__(self, pks: Sequence[int]) -> None:
        super().__init__(F("pk"), Value(list(pks)), output_field=BooleanField())


def by_key(pks: Sequence[int], *, using: str) -> QuerySet[OutboxEvent]:
    """The events of these keys."""
    rows = OutboxEvent.objects.using(using)
    if connections[using].vendor == "postgresql":
        return rows.filter(_EqualsAny(pks))
    return rows.with_keys(pks)


SLACK_SECONDS = 3600.0
"""By how much transactions may commit out of the order of their keys; `created_at` decides within."""

MOMENTS = ("since", "until")
GIVEN_UP = (State.INVALID, State.REJECTED, State.EXPIRED, State.CANCELLED)
WARNED = "warned"
"""Beside the states: delivered, with a note."""
CHANNELS: Mapping[str, Q] = {
    "both": Q(state=State.DELIVERED, browser_at__isnull=False),
    "server": Q(state=State.DELIVERED, wants_browser=True, browser_at__isnull=True),
    "browser": Q(state__in=GIVEN_UP, browser_at__isnull=False),
    "confirmed": Q(browser_confirmed_at__isnull=False),
    "unconfirmed": Q(browser_at__isnull=False, browser_confirmed_at__isnull=True),
}
"""How the two channels of an event fared, as the overview counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Empty fields choose nothing. `since` (from) and `until` (before) are epoch seconds of `created_at`."""

    state: str = ""
    name: str = ""
    pixel_code: str = ""
    channels: str = ""
    attempt: str = ""
    since: float | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        if self.state and self.state not in (*State.values, WARNED):
            raise ValueError("no such state")
        if self.channels and self.channels not in CHANNELS:
            raise ValueError("no such choice of channels")

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> EventFilter:
        """The counterpart of `as_data`. Raises ValueError for anything that it never made.

        Strict, for a background job stores its filter: a condition that was dropped, because another version named it
        otherwise or a value was emptied, would have the job change events that nobody chose.
        """
        if not isinstance(data, Mapping):
            raise ValueError("a filter is a JSON object")
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown conditions: {', '.join(sorted(map(str, unknown)))}")
        for name, value in data.items():
            if not (_is_moment(value) if name in MOMENTS else isinstance(value, str) and value):
                raise ValueError(f"{name} has no usable value")
        return cls(**data)

    def as_data(self) -> dict[str, Any]:
        """What is chosen, as plain JSON."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}

    def __bool__(self) -> bool:
        return bool(self.as_data())

    def rows(self, *, using: str) -> QuerySet[OutboxEvent]:
        """The events of the choice, in no order."""
        found = OutboxEvent.objects.using(using).filter(self.condition(using=using))
        low, high = self.keys(using=using)
        found = found if low is None else found.filter(pk__gte=low)
        return found if high is None else found.filter(pk__lt=high)

    def condition(self, *, using: str) -> Q:
        """Without the keys, which only save reading."""
        wanted = CHANNELS[self.channels] if self.channels else Q()
        if self.state == WARNED:
            wanted &= Q(state=State.DELIVERED) & ~Q(note__in=("", ERASED))
        elif self.state:
            wanted &= Q(state=self.state)
        if self.name:
            wanted &= Q(name=self.name)
        if self.pixel_code:
            wanted &= Q(pixel_code=self.pixel_code)
        if self.since is not None:
            wanted &= Q(created_at__gte=moment(self.since))
        if self.until is not None:
            wanted &= Q(created_at__lt=moment(self.until))
        return wanted & self._of_attempt(using) if self.attempt else wanted

    def keys(self, *, using: str) -> tuple[int | None, int | None]:
        """The events are in this range of keys, from and before; None for no bound."""
        low = high = None
        if self.since is not None:
            low = first_pk_since(moment(self.since - SLACK_SECONDS), using=using)
        if self.until is not None:
            high = first_pk_since(moment(self.until + SLACK_SECONDS), using=using)
        attempt = self._attempt(using)
        if attempt is not None:
            low = max(low or 0, attempt.first_event or 0)
            high = min(high or attempt_end(attempt), attempt_end(attempt))
        return low, high

    def _attempt(self, using: str) -> Attempt | None:
        return Attempt.objects.using(using).filter(pk=self.attempt).first() if self.attempt else None

    def _of_attempt(self, using: str) -> Q:
        attempt = self._attempt(using)
        return Q(pk__in=()) if attempt is None else sent_by(attempt)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def attempt_end(attempt: Attempt) -> int:
    """One above the key of its last event."""
    return (attempt.last_event or 0) + 1


def sent_by(attempt: Attempt) -> Q:
    """The events that were in this attempt, also those that have been tried again since."""
    page = Q(pk__gte=attempt.first_event or 0, pk__lte=attempt.last_event or 0)
    return page & (Q(last_attempt=attempt.pk) | Q(attempt_log__contains=f"{attempt.pk},"))


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
        return _all_of([rows.queued().order_by("pixel_code", "lane", "due_at")])
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
    near = OutboxEvent.objects.using(rows.db).from_key(at).values_list("created_at", flat=True)
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
