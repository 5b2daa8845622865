"""Search the outbox: filters of events, keyset pages, and the events of a list of keys.

- `first_pk_since` finds the first key of a moment, without an index over moments.
- `event_types` lists the stored event types, with one index lookup for each.
- `by_key` selects events by their keys, as one parameter where the database takes an array.
- `EventFilter` is the filter of the admin's list: validated data, a condition and the range of possible keys.
- `newest` and `oldest` return a page of filtered events; the number of rows scanned is bounded.
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
    """Return the key of the first event recorded at that moment or later; the highest key plus one if there is none.

    It bisects the primary key, in about log2 of the table's size lookups: keys and `created_at` grow together.
    Transactions that commit out of order make the result wrong by as many rows. A caller that needs it exact starts
    some time earlier and compares `created_at`.
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
"""Lookups of `event_types`. A site that makes up more event types finds the others by search."""


class EventType(NamedTuple):
    """A pixel and an event name together. `EventBody.type_key` is their digest."""

    pixel_code: str
    name: str


def event_types(using: str) -> Iterator[EventType]:
    """Yield the stored event types, at most MOST, in no particular order."""
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
    """PostgreSQL's `pk = ANY(array)`."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY("
    conditional = True

    def __init__(self, pks: Sequence[int]) -> None:
        super().__init__(F("pk"), Value(list(pks)), output_field=BooleanField())


def by_key(pks: Sequence[int], *, using: str) -> QuerySet[OutboxEvent]:
    """Return the events with these keys.

    PostgreSQL gets one array. A thousand placeholders cost as much to write and to parse as updating the rows does.
    """
    rows = OutboxEvent.objects.using(using)
    if connections[using].vendor == "postgresql":
        return rows.filter(_EqualsAny(pks))
    return rows.with_keys(pks)


SLACK_SECONDS = 3600.0
"""How far transactions may commit out of the order of their keys. Within this time, `created_at` decides."""

MOMENTS = ("since", "until")
GIVEN_UP = (State.INVALID, State.REJECTED, State.EXPIRED, State.CANCELLED)
WARNED = "warned"
"""A choice beside the states: delivered events that have a note."""
CHANNELS: Mapping[str, Q] = {
    "both": Q(state=State.DELIVERED, browser_at__isnull=False),
    "server": Q(state=State.DELIVERED, wants_browser=True, browser_at__isnull=True),
    "browser": Q(state__in=GIVEN_UP, browser_at__isnull=False),
    "confirmed": Q(browser_confirmed_at__isnull=False),
    "unconfirmed": Q(browser_at__isnull=False, browser_confirmed_at__isnull=True),
}
"""What became of the two channels of an event, as the overview counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """A filter of events. Empty fields set no condition.

    `since` (inclusive) and `until` (exclusive) are epoch seconds of `created_at`.
    """

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
        """Read what `as_data` returned. Raises ValueError for anything else.

        It is strict because a background job stores its filter. Another version may have renamed a condition or
        emptied a value. If such a condition were ignored, the job would change events that nobody chose.
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
        """Return the conditions that are set, as plain JSON data."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}

    def __bool__(self) -> bool:
        return bool(self.as_data())

    def rows(self, *, using: str) -> QuerySet[OutboxEvent]:
        """Return the matching events, unordered."""
        found = OutboxEvent.objects.using(using).filter(self.condition(using=using))
        low, high = self.keys(using=using)
        found = found if low is None else found.filter(pk__gte=low)
        return found if high is None else found.filter(pk__lt=high)

    def condition(self, *, using: str) -> Q:
        """Return the condition without the range of keys, which only limits how many rows are read."""
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
        """Return the range of keys that the events lie in: first (inclusive) and end (exclusive); None for no bound."""
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
    """Return the key of its last event plus one."""
    return (attempt.last_event or 0) + 1


def sent_by(attempt: Attempt) -> Q:
    """Select the events that were in this attempt, including those that were tried again since."""
    page = Q(pk__gte=attempt.first_event or 0, pk__lte=attempt.last_event or 0)
    return page & (Q(last_attempt=attempt.pk) | Q(attempt_log__contains=f"{attempt.pk},"))


WIDTHS = (2_000, 20_000, 200_000)
FEW = 5_000
"""The most rows that an index may return for one page, because they are sorted here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysetPage:
    """Keys in the order of the search, at most as many as were requested.

    If the search stopped early, `looked_to` is the last key that it looked at. It is None if nothing lies beyond.
    """

    pks: list[int]
    looked_to: int | None = None


def newest(rows: QuerySet[OutboxEvent], chosen: EventFilter, *, most: int, before: int | None = None) -> KeysetPage:
    """Return the newest of these events, below the key `before` if it is given."""
    return _walk(rows, chosen, most, before, newer=False)


def oldest(rows: QuerySet[OutboxEvent], chosen: EventFilter, *, most: int, after: int) -> KeysetPage:
    """Return the next events above the key `after`, the oldest of them first."""
    return _walk(rows, chosen, most, after, newer=True)


# Decision: the list goes over keys. No index fits every filter together with the newest-first order, and each further
# index would cost at every insert and update. So the newest keys are read in pages of 2,000, 20,000 and 200,000. If
# these hold too little, one of the existing indexes is asked for at most 5,000 keys. If none fits, the page says how
# far it has looked. So a planner's bad guess never reads the whole table. Django's paginator would count all rows, and
# OFFSET would read the rows that it skips.
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
    """Return the lowest possible key of the filter, and the highest possible key plus one."""
    keys = OutboxEvent.objects.using(using).values_list("pk", flat=True)
    low, high = chosen.keys(using=using)
    low = low if low is not None else (keys.order_by("pk").first() or 1)
    return low, high if high is not None else (keys.order_by("-pk").first() or 0) + 1


def _named_by_index(chosen: EventFilter, at: int, using: str, *, newer: bool) -> KeysetPage | None:
    """Return the few keys that match the filter's one indexed condition; None if too many match, or no index fits.

    The filter's other conditions are not checked here.
    """
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
    """Return the stored event types of this name, this pixel or both; None if too many types are stored to know."""
    if chosen.name and chosen.pixel_code:
        return [EventType(chosen.pixel_code, chosen.name)]
    stored = list(event_types(using))
    if len(stored) >= MOST:
        return None
    return [type_key for type_key in stored if chosen.name == type_key.name or chosen.pixel_code == type_key.pixel_code]


def _by_time(rows: QuerySet[OutboxEvent], at: int, *, newer: bool) -> KeysetPage:
    """Return the next keys by an index over time, from the moment of the key `at`.

    The order of time is nearly the order of keys.
    """
    near = OutboxEvent.objects.using(rows.db).from_key(at).values_list("created_at", flat=True)
    moment = near.first()
    if moment is not None:
        slack = timedelta(seconds=SLACK_SECONDS)
        rows = rows.filter(created_at__gte=moment - slack) if newer else rows.filter(created_at__lte=moment + slack)
    pks = list(rows.order_by("created_at" if newer else "-created_at").values_list("pk", flat=True)[:FEW])
    return KeysetPage(pks=pks, looked_to=None if len(pks) < FEW else pks[-1])


def _all_of(ways: Sequence[QuerySet[Any]]) -> KeysetPage | None:
    """Return every key of these querysets, unsorted; None if there are too many to sort here."""
    pks: list[int] = []
    for rows in ways:
        pks += rows.values_list("pk", flat=True)[: FEW + 1 - len(pks)]
        if len(pks) > FEW:
            return None
    return KeysetPage(pks=pks)
