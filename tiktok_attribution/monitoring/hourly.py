"""Delays as counts in fixed buckets, so that hours can be added up and a median still be read.

The edges grow by a tenth of a decade (26 %), so a median that is read from them is at most so far off.

Counts the outbox's rows into hours: one pass over a stretch of keys, in pieces, reading narrow columns alone.

Keeps the hours counted: the newest often, older ones seldom, for what becomes of an event may come days later.

The long rounds go on in steps of half a second, newest hours first, so that whoever counts has time for deliveries. How
far a round is stands in the database: any process takes the next step.
"""

from __future__ import annotations

import json
import logging
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.search import GIVEN_UP, first_pk_since
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import Heartbeat, HourlyStatistics, OutboxEvent, State, moment

logger = logging.getLogger("tiktok_attribution")

EDGES = tuple(round(0.1 * 10 ** (step / 10), 4) for step in range(69))
"""Upper ends in seconds, 0.1 s to 7.3 days. The numbers of the buckets are stored: never change them."""

BUCKETS = len(EDGES) + 1


def bucket(seconds: float) -> int:
    """The bucket of a delay."""
    return bisect_left(EDGES, seconds)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The upper end of the bucket that holds this share of the delays, in seconds; None where there are none."""
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0
    for number, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return EDGES[min(number, len(EDGES) - 1)]
    return EDGES[-1]


HOUR = 3600
PAGE_ROWS = 2000
DISORDER_SECONDS = 900.0
"""How much later than its key a row may come: the longest transaction that is allowed for."""

_FIELD_OF_STATE = {state.value: state.name.lower() for state in State}


class Row(NamedTuple):
    """The columns that are counted."""

    pk: int
    created_at: datetime
    pixel_code: str
    name: str
    state: str
    event_time: int
    delivered_at: datetime | None
    wants_browser: bool
    browser_at: datetime | None
    browser_confirmed_at: datetime | None
    match_keys: int
    value: Decimal | None
    currency: str


@dataclass(slots=True)
class Count:
    """One hour, pixel and name while it is counted."""

    counts: dict[str, int] = field(default_factory=dict)
    delays: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    match_keys: list[int] = field(default_factory=lambda: [0] * len(MATCH_KEYS))
    value_sums: dict[str, Decimal] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one row. Values count once the event was built, whatever became of it since."""
        is_delivered = row.state == State.DELIVERED
        is_shown = row.browser_at is not None
        self._raise("recorded", _FIELD_OF_STATE.get(row.state, ""))
        if row.wants_browser:
            self._raise("wanted")
        if is_shown:
            self._raise("shown")
        if row.browser_confirmed_at is not None:
            self._raise("confirmed")
        if is_delivered and is_shown:
            self._raise("both")
        if is_delivered and row.wants_browser and not is_shown:
            self._raise("server_alone")
        if is_shown and row.state in GIVEN_UP:
            self._raise("browser_alone")
        if is_delivered and row.delivered_at is not None:
            self.delays[bucket(epoch_of(row.delivered_at) - row.event_time)] += 1
        for bit in range(len(MATCH_KEYS)):
            self.match_keys[bit] += row.match_keys >> bit & 1
        if row.value is not None and row.currency:
            self.value_sums[row.currency] = self.value_sums.get(row.currency, Decimal(0)) + row.value

    def _raise(self, *names: str) -> None:
        for name in filter(None, names):
            self.counts[name] = self.counts.get(name, 0) + 1

    def as_row(self, hour: int, pixel_code: str, name: str) -> HourlyStatistics:
        """To be stored."""
        return HourlyStatistics(
            hour=hour,
            pixel_code=pixel_code,
            name=name,
            delays=json.dumps([pair for pair in enumerate(self.delays) if pair[1]], separators=(",", ":")),
            match_keys=json.dumps(self.match_keys, separators=(",", ":")),
            value_sums=json.dumps({currency: str(total) for currency, total in sorted(self.value_sums.items())}),
            **self.counts,
        )


def count_hours(start: int, end: int, *, using: str) -> list[HourlyStatistics]:
    """The tallies of the hours from `start` to before `end` (epoch seconds, multiples of HOUR), not saved."""
    found: dict[tuple[int, str, str], Count] = {}
    for row in _rows(start, end, using):
        hour = int(epoch_of(row.created_at)) // HOUR * HOUR
        if start <= hour < end:
            found.setdefault((hour, row.pixel_code, row.name), Count()).add(row)
    return [count.as_row(*key) for key, count in sorted(found.items())]


def _rows(start: int, end: int, using: str) -> Iterator[Row]:
    low = first_pk_since(moment(start - DISORDER_SECONDS), using=using)
    high = first_pk_since(moment(end + DISORDER_SECONDS), using=using)
    rows = OutboxEvent.objects.using(using).below_key(high).order_by("pk").values_list(*Row._fields)
    while True:
        piece: list[Any] = list(rows.filter(pk__gte=low)[:PAGE_ROWS])
        yield from (Row(*values) for values in piece)
        if len(piece) < PAGE_ROWS:
            return
        low = piece[-1][0] + 1


def epoch_of(when: datetime) -> float:
    """The counterpart of `models.moment`."""
    return (when if timezone.is_aware(when) else timezone.make_aware(when)).timestamp()


DAY = 24 * HOUR
STEP_SECONDS = 0.5
MOST_HOURS = 24
"""Counted at once where they hold little: an hour without events costs as many looks as a full one."""
SHORT_SECONDS = 0.2
"""Twice as many hours are counted at once after so short a time, else half as many."""

_at_once: dict[tuple[str, str], int] = {}
"""By database and round, how many hours this process last counted at once."""


class Round(NamedTuple):
    """Hours that are counted one after the other, and how often. Its name is that of two heartbeats.

    `name` beats when a round is done. `place` is no moment but a place: the hour down to which a round has come, 0
    where none is going on.
    """

    name: str
    hours: int
    every_seconds: float

    @property
    def place(self) -> str:
        """See above."""
        return f"{self.name}-at"


RECENT = Round("hours-recent", 3, 120)
LATE = Round("hours-late", 48, HOUR)
WHOLE = Round("hours-whole", 31 * 24, DAY)
"""As far back as the overview looks. A million events in these days are ten seconds and more, in steps."""


def refresh_all(*, now: float | None = None, seconds: float = STEP_SECONDS) -> None:
    """For what runs in the background: the newest hours if they are due, and a step of each longer round, `seconds`
    together, in every database. Raises nothing of a database's."""
    for using in outbox_databases():
        try:
            at = database_time(using) if now is None else now
            if beat(RECENT.name, using=using, now=at, every=RECENT.every_seconds):
                count_again(RECENT.hours, using=using, now=at)
            for one in (LATE, WHOLE):
                go_on(one, using=using, now=at, seconds=seconds / 2)
        except AnyDatabaseError:
            logger.exception("tiktok: the hours in database %r could not be counted", using)


def refresh_recent(*, using: str, now: float, stale_seconds: float = 60.0, seconds: float = 1.0) -> None:
    """For the overview: the newest hours if they are stale; while older ones never were counted, a step of them too."""
    if not beat(RECENT.name, using=using, now=now, every=stale_seconds):
        return
    count_again(RECENT.hours, using=using, now=now)
    if seen_at(WHOLE.name, using=using) is None:
        go_on(WHOLE, using=using, now=now, seconds=seconds)


def count_again(hours: int, *, using: str, now: float) -> None:
    """Count this hour and those before it, `hours` in all.

    Hours whose events may have been pruned keep what was counted while they were there.
    """
    end = _end(now)
    start = _first(hours, now)
    if start < end:
        _replace(start, end, using)


def go_on(one: Round, *, using: str, now: float, seconds: float) -> None:
    """Count the next hours of a round until `seconds` are over, and begin one that is due.

    Hours are taken by a conditional UPDATE before they are counted: two processes share a round, and what is lost with
    one of them is the next round's.
    """
    places = Heartbeat.objects.using(using).filter(pk=one.place)
    until = time.monotonic() + seconds
    first, pace = _first(one.hours, now), (using, one.name)
    place = int(seen_at(one.place, using=using) or 0) or _begin(one, using=using, now=now)
    is_empty = False
    while place:
        hours = _at_once.get(pace, 1)
        start = max(first, min(place - hours * HOUR, _end_of_what_is_there(place, using) if is_empty else place))
        if start <= first:  # before the place says so, or another would begin the next round
            beat(one.name, using=using, now=now, every=0)
        if places.filter(seen_at=place).update(seen_at=start if start > first else 0):
            began = time.monotonic()
            is_empty = start < place and not _replace(start, place, using)
            took = time.monotonic() - began
            _at_once[pace] = min(hours * 2, MOST_HOURS) if took < SHORT_SECONDS else max(hours // 2, 1)
        if time.monotonic() >= until:
            return
        place = int(seen_at(one.place, using=using) or 0)


def _end_of_what_is_there(place: int, using: str) -> int:
    """The hour from which up to `place` nothing was recorded and nothing is stored.

    A round claims all of that at once. Hour by hour it would be 30 commits a day on a site that sells nothing, each of
    which takes SQLite's write lock.
    """
    rows = OutboxEvent.objects.using(using).below_key(first_pk_since(moment(place + DISORDER_SECONDS), using=using))
    newest = rows.newest_first().values_list("created_at", flat=True).first()
    recorded = 0 if newest is None else int(epoch_of(newest) + DISORDER_SECONDS) // HOUR * HOUR + HOUR
    statistics = HourlyStatistics.objects.using(using).filter(hour__lt=place)
    stored = statistics.order_by("-hour").values_list("hour", flat=True).first()
    return min(place, max(recorded, 0 if stored is None else stored + HOUR))


def _begin(one: Round, *, using: str, now: float) -> int:
    """The place where a new round begins; 0 where none is due, or where another process has just begun it."""
    done = seen_at(one.name, using=using)
    if done is not None and done > now - one.every_seconds:
        return 0
    Heartbeat.objects.using(using).get_or_create(pk=one.place)
    return _end(now) if Heartbeat.objects.using(using).filter(pk=one.place, seen_at=0).update(seen_at=_end(now)) else 0


def _end(now: float) -> int:
    """The hour that has not begun."""
    return int(now) // HOUR * HOUR + HOUR


def _first(hours: int, now: float) -> int:
    """The first of so many hours that has all its events still."""
    kept_since = now - conf.current().keep_event_days * DAY
    return max(_end(now) - hours * HOUR, (int(kept_since) // HOUR + 1) * HOUR)


def _replace(start: int, end: int, using: str) -> bool:
    """Store these hours as they are counted now; False where they hold nothing.

    Most were counted alike before, and cost no write: see `beat`.
    """
    rows = count_hours(start, end, using=using)
    statistics = HourlyStatistics.objects.using(using)
    stored = statistics.filter(hour__gte=start, hour__lt=end)
    if sorted(map(_figures, rows)) == sorted(map(_figures, stored)):
        return bool(rows)
    with transaction.atomic(using=using):
        stored.delete()
        # Two who count at once find the same; the second's rows are the first's.
        statistics.bulk_create(rows, batch_size=200, ignore_conflicts=True)
    return bool(rows)


def _figures(row: HourlyStatistics) -> tuple[Any, ...]:
    """Everything but the key, which each count makes anew."""
    return tuple(
        getattr(row, field.attname) for field in HourlyStatistics._meta.concrete_fields if not field.primary_key
    )
