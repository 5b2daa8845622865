"""Count the outbox into hourly statistics, and keep them current.

- `count_hours` counts the events of some hours, in one pass over a range of keys that reads narrow columns only.
- `refresh_all` counts the newest hours often and older hours seldom, because an event's result may come days later.
  Long passes (`RecountPass`) go on in steps of half a second, newest hours first, so that deliveries are not delayed.
  The progress of a pass is in the database, so any process takes the next step.
- `bucket` and `quantile` count delays in fixed buckets. Hours can be added up, and a median can still be read from
  them. The edges grow by a tenth of a decade (26 %), so such a median is at most that far off.
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
from tiktok_attribution.delivery.event_search import GIVEN_UP, first_pk_since
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import Heartbeat, HourlyStatistics, OutboxEvent, State, moment

logger = logging.getLogger("tiktok_attribution")

EDGES = tuple(round(0.1 * 10 ** (step / 10), 4) for step in range(69))
"""Upper ends of the buckets in seconds, 0.1 s to 7.3 days. The buckets' numbers are stored: never change them."""

BUCKETS = len(EDGES) + 1


def bucket(seconds: float) -> int:
    """Return the number of a delay's bucket."""
    return bisect_left(EDGES, seconds)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the upper end, in seconds, of the bucket that holds this share of the delays; None without delays."""
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
"""How much later than its key a row may be committed: the longest transaction that is allowed for."""

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
    """The counts of one hour, pixel and event name."""

    counts: dict[str, int] = field(default_factory=dict)
    delays: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    match_keys: list[int] = field(default_factory=lambda: [0] * len(MATCH_KEYS))
    value_sums: dict[str, Decimal] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one event. Its value counts once the event was built, whatever became of it later."""
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
        """Return the counts as a row that is not saved yet."""
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
    """Count the hours from `start` to before `end` (epoch seconds, multiples of HOUR). The rows are not saved."""
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
    """Convert a datetime to epoch seconds; the reverse of `models.moment`."""
    return (when if timezone.is_aware(when) else timezone.make_aware(when)).timestamp()


DAY = 24 * HOUR
STEP_SECONDS = 0.5
MOST_HOURS = 24
"""Most hours that are counted at once where they hold few events. An empty hour costs as many lookups as a full one."""
SHORT_SECONDS = 0.2
"""If counting took less than this, twice as many hours are counted at once the next time, else half as many."""

_at_once: dict[tuple[str, str], int] = {}
"""By database and pass, how many hours this process counted at once the last time."""


# Decision: the overview reads hours, not events. A row for each hour, pixel and event name holds counts that add up, so
# a period costs its hours and not its events. Hours are counted again whole: the last three often, two days hourly, a
# month daily. An event may be delivered days after it was recorded, and counting twice changes nothing. Triggers or
# counters kept at each write would cost the checkout and the worker.
class RecountPass(NamedTuple):
    """A recount pass: hours that are counted one after the other, and how often. It uses two heartbeats.

    The heartbeat `name` says when a pass was last completed. The heartbeat `cursor` holds no moment but the progress:
    the hour down to which the pass has come; 0 while none is running.
    """

    name: str
    hours: int
    every_seconds: float

    @property
    def cursor(self) -> str:
        """Return the name of the heartbeat that holds the progress of the pass."""
        return f"{self.name}-at"


RECENT = RecountPass("hours-recent", 3, 120)
LATE = RecountPass("hours-late", 48, HOUR)
WHOLE = RecountPass("hours-whole", 31 * 24, DAY)
"""As far back as the overview looks. A million events in these days take ten seconds and more, in steps."""


def refresh_all(*, now: float | None = None, seconds: float = STEP_SECONDS) -> None:
    """Count the newest hours if they are due, and a step of each longer pass, in every database.

    For background processes. The steps take `seconds` together for each database. Raises no database error.
    """
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
    """Count the newest hours if they are stale, for the overview. Until a first pass is done, go on with it too."""
    if not beat(RECENT.name, using=using, now=now, every=stale_seconds):
        return
    count_again(RECENT.hours, using=using, now=now)
    if seen_at(WHOLE.name, using=using) is None:
        go_on(WHOLE, using=using, now=now, seconds=seconds)


def count_again(hours: int, *, using: str, now: float) -> None:
    """Count this hour and the hours before it, `hours` in all.

    Hours whose events may have been deleted keep their old counts.
    """
    end = _end(now)
    start = _first(hours, now)
    if start < end:
        _replace(start, end, using)


def go_on(one: RecountPass, *, using: str, now: float, seconds: float) -> None:
    """Count the next hours of a pass until `seconds` are over, and begin a pass that is due.

    A conditional UPDATE claims hours before they are counted, so two processes can share a pass. If a process dies, the
    next pass counts the hours that it had claimed.
    """
    cursors = Heartbeat.objects.using(using).filter(pk=one.cursor)
    until = time.monotonic() + seconds
    first, pace = _first(one.hours, now), (using, one.name)
    cursor = int(seen_at(one.cursor, using=using) or 0) or _begin(one, using=using, now=now)
    is_empty = False
    while cursor:
        hours = _at_once.get(pace, 1)
        start = max(first, min(cursor - hours * HOUR, _end_of_what_is_there(cursor, using) if is_empty else cursor))
        if start <= first:  # before the cursor says so, or another process would begin the next pass
            beat(one.name, using=using, now=now, every=0)
        if cursors.filter(seen_at=cursor).update(seen_at=start if start > first else 0):
            began = time.monotonic()
            is_empty = start < cursor and not _replace(start, cursor, using)
            took = time.monotonic() - began
            _at_once[pace] = min(hours * 2, MOST_HOURS) if took < SHORT_SECONDS else max(hours // 2, 1)
        if time.monotonic() >= until:
            return
        cursor = int(seen_at(one.cursor, using=using) or 0)


def _end_of_what_is_there(cursor: int, using: str) -> int:
    """Return the hour from which nothing was recorded and nothing is stored up to `cursor`.

    A pass claims all of these hours at once. Hour by hour, a site that sells nothing would make 30 commits a day, each
    of which takes SQLite's write lock.
    """
    rows = OutboxEvent.objects.using(using).below_key(first_pk_since(moment(cursor + DISORDER_SECONDS), using=using))
    newest = rows.newest_first().values_list("created_at", flat=True).first()
    recorded = 0 if newest is None else int(epoch_of(newest) + DISORDER_SECONDS) // HOUR * HOUR + HOUR
    statistics = HourlyStatistics.objects.using(using).filter(hour__lt=cursor)
    stored = statistics.order_by("-hour").values_list("hour", flat=True).first()
    return min(cursor, max(recorded, 0 if stored is None else stored + HOUR))


def _begin(one: RecountPass, *, using: str, now: float) -> int:
    """Return the cursor where a new pass begins; 0 if none is due, or if another process has just begun it."""
    done = seen_at(one.name, using=using)
    if done is not None and done > now - one.every_seconds:
        return 0
    Heartbeat.objects.using(using).get_or_create(pk=one.cursor)
    return _end(now) if Heartbeat.objects.using(using).filter(pk=one.cursor, seen_at=0).update(seen_at=_end(now)) else 0


def _end(now: float) -> int:
    """Return the start of the next hour, in epoch seconds."""
    return int(now) // HOUR * HOUR + HOUR


def _first(hours: int, now: float) -> int:
    """Return the start of the first of the last `hours` hours that still has all its events."""
    kept_since = now - conf.current().keep_event_days * DAY
    return max(_end(now) - hours * HOUR, (int(kept_since) // HOUR + 1) * HOUR)


def _replace(start: int, end: int, using: str) -> bool:
    """Count these hours again and store them. Return False if they hold nothing.

    Most hours have not changed and cost no write (see `turns.beat`: on SQLite, each UPDATE takes the write lock).
    """
    rows = count_hours(start, end, using=using)
    statistics = HourlyStatistics.objects.using(using)
    stored = statistics.filter(hour__gte=start, hour__lt=end)
    if sorted(map(_figures, rows)) == sorted(map(_figures, stored)):
        return bool(rows)
    with transaction.atomic(using=using):
        stored.delete()
        # Two processes that count at once find the same, so the second one's rows may be ignored.
        statistics.bulk_create(rows, batch_size=200, ignore_conflicts=True)
    return bool(rows)


def _figures(row: HourlyStatistics) -> tuple[Any, ...]:
    """Return all columns except the key, which each count makes anew."""
    return tuple(
        getattr(row, field.attname) for field in HourlyStatistics._meta.concrete_fields if not field.primary_key
    )
