"""Counts the outbox's rows into hours: one pass over a stretch of keys, in pieces, reading narrow columns alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from tiktok_attribution.delivery.search import GIVEN_UP, first_pk_since
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import HourlyStatistics, OutboxEvent, State, moment
from tiktok_attribution.tallies.delay import BUCKETS, bucket

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
    rows = OutboxEvent.objects.using(using).filter(pk__lt=high).order_by("pk").values_list(*Row._fields)
    while True:
        piece: list[Any] = list(rows.filter(pk__gte=low)[:PAGE_ROWS])
        yield from (Row(*values) for values in piece)
        if len(piece) < PAGE_ROWS:
            return
        low = piece[-1][0] + 1


def epoch_of(when: datetime) -> float:
    """The counterpart of `models.moment`."""
    return (when if timezone.is_aware(when) else timezone.make_aware(when)).timestamp()
