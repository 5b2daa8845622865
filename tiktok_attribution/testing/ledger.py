"""The ledger of the stand-in: what arrived on which channel, and what TikTok would count.

It de-duplicates by pixel, event and event_id, as TikTok's help pages describe it (May 2025). The same channel again
within 48 hours is ignored. The other channel is merged within 5 minutes, and ignored later. After 48 hours the event
counts again. The first arrival is the one that TikTok keeps.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tiktok_attribution.testing.arrivals import (
    Arrival,
    Channel,
    EventCount,
    EventRow,
    Fate,
    matching_keys,
    pack,
)
from tiktok_attribution.testing.event_rules import is_number
from tiktok_attribution.testing.notes import Journal

DEDUPLICATION_SECONDS = 48 * 3600
MERGE_SECONDS = 5 * 60


class Counts(dict[str, EventCount]):
    """Counts by event name. A name that never arrived has zeros, and reading it does not add it."""

    def __missing__(self, name: str) -> EventCount:
        return EventCount()


class Ledger:
    """A thread-safe record of arrivals. `clock` returns epoch seconds; `journal` is a file that survives restarts."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        journal: Journal | str | Path | None = None,
    ) -> None:
        self.clock = clock
        self.journal = Journal(journal) if isinstance(journal, (str, Path)) else journal
        self._changed = threading.Condition(threading.RLock())
        self._clear()
        if self.journal is not None:
            for record in self.journal.replay():
                self._replay(record)

    def record(
        self,
        channel: Channel,
        pixel: str,
        bodies: Sequence[Mapping[str, Any]],
        *,
        test_event_code: str = "",
        request_id: str = "",
    ) -> None:
        """Record the events of one request. They are in the journal before this returns."""
        with self._changed:
            record = {
                "at": self.clock(),
                "channel": channel,
                "pixel": pixel,
                "test_event_code": test_event_code,
                "request_id": request_id,
                "bodies": bodies,
            }
            if self.journal is not None:
                self.journal.append("arrivals", record)
            self._take(record)
            self._changed.notify_all()

    def events(self, *, event: str = "", pixel: str = "", newest: int | None = None) -> list[EventRow]:
        """Return one row for each pixel, event and event_id, oldest first, without test events."""
        with self._changed:
            fitting = (row for row in reversed(self._rows.values()) if _fits(row, event, pixel))
            return [copy.copy(row) for row in islice(fitting, newest)][::-1]

    @property
    def event_total(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def arrivals(self, channel: Channel | None = None, *, event: str = "", pixel: str = "") -> list[Arrival]:
        """Return every arrival in order, repeats included, without test events."""
        with self._changed:
            return [
                one
                for one in self._arrivals
                if (channel is None or one.channel == channel) and _fits(one, event, pixel)
            ]

    def merged(self, *, event: str = "", pixel: str = "") -> list[EventRow]:
        """Return the rows whose two channels became one event."""
        return [row for row in self.events(event=event, pixel=pixel) if row.merged]

    def test_events(self) -> list[Arrival]:
        """Return what came with a test_event_code. It is kept apart and never counted."""
        with self._changed:
            return list(self._test_arrivals)

    def counts(self, *, pixel: str = "") -> Counts:
        """Return counts by event name, for all pixels or one. A name that never arrived has zeros."""
        totals = Counts()
        with self._changed:
            for (of_pixel, name), count in self._counts.items():
                if pixel in ("", of_pixel):
                    total = totals.setdefault(name, EventCount())
                    total.browser += count.browser
                    total.server += count.server
                    total.counted += count.counted
        return totals

    def wait_for(self, condition: Callable[[Ledger], bool], *, timeout_seconds: float = 5.0) -> bool:
        """Wait until `condition(ledger)` is true; it is checked at every arrival. Return False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_seconds)

    def reset(self) -> None:
        """Forget everything, also for the time after a restart."""
        with self._changed:
            if self.journal is not None:
                self.journal.append("reset", {})
            self._clear()
            self._changed.notify_all()

    def _clear(self) -> None:
        self._rows: dict[object, EventRow] = {}
        self._arrivals: list[Arrival] = []
        self._test_arrivals: list[Arrival] = []
        self._counts: dict[tuple[str, str], EventCount] = {}
        self._number = 0

    def _replay(self, record: Mapping[str, Any]) -> None:
        if record.get("kind") == "arrivals":
            self._take(record)
        elif record.get("kind") == "reset":
            self._clear()

    def _take(self, record: Mapping[str, Any]) -> None:
        for body in record["bodies"]:
            self._number += 1
            if record["test_event_code"]:
                self._test_arrivals.append(_arrival(record, body, self._number, "test"))
                continue
            row = self._row_of(record["pixel"], body)
            arrival = _arrival(record, body, self._number, _fate(row, record["channel"], record["at"]))
            self._arrivals.append(arrival)
            _enter(row, arrival)
            count = self._counts.setdefault((arrival.pixel, arrival.event), EventCount())
            setattr(count, arrival.channel, getattr(count, arrival.channel) + 1)
            count.counted += arrival.fate == "counted"

    def _row_of(self, pixel: str, body: Mapping[str, Any]) -> EventRow:
        event_id = body.get("event_id") or ""
        key: object = (pixel, body["event"], event_id) if event_id else self._number
        row = self._rows.get(key)
        if row is None:
            row = EventRow(pixel=pixel, event=body["event"], event_id=event_id, number=self._number)
            self._rows[key] = row
        return row


def _fits(one: Arrival | EventRow, event: str, pixel: str) -> bool:
    return event in ("", one.event) and pixel in ("", one.pixel)


def _fate(row: EventRow, channel: Channel, at: float) -> Fate:
    """Apply the rules of de-duplication. Both ends of a span are included."""
    if not row.window_channels or at - row.window_at > DEDUPLICATION_SECONDS:
        return "counted"
    if channel in row.window_channels:
        return "repeat"
    return "merged" if at - row.window_at <= MERGE_SECONDS else "late"


def _enter(row: EventRow, arrival: Arrival) -> None:
    """Add one arrival to its row. A merged arrival adds values that the first did not have."""
    if arrival.channel == "browser":
        row.browser_at = arrival.arrived_at if row.browser_at is None else row.browser_at
    else:
        row.server_at = arrival.arrived_at if row.server_at is None else row.server_at
    if arrival.fate == "counted":
        row.counted += 1
        row.window_at, row.window_channels = arrival.arrived_at, ()
    if arrival.channel not in row.window_channels:
        row.window_channels += (arrival.channel,)
    row.merged += arrival.fate == "merged"
    row.repeats += arrival.fate == "repeat"
    row.late += arrival.fate == "late"
    if arrival.fate in ("counted", "merged"):
        row.matching_keys = tuple(dict.fromkeys(row.matching_keys + arrival.matching_keys))
        if row.value is None:
            row.value = arrival.value
        row.currency = row.currency or arrival.currency


def _arrival(record: Mapping[str, Any], body: Mapping[str, Any], number: int, fate: Fate) -> Arrival:
    properties = body.get("properties") or {}
    value, currency = properties.get("value"), properties.get("currency")
    return Arrival(
        number=number,
        channel=record["channel"],
        pixel=record["pixel"],
        event=body["event"],
        event_id=body.get("event_id") or "",
        arrived_at=record["at"],
        fate=fate,
        matching_keys=matching_keys(body),
        value=value if is_number(value) else None,
        currency=currency if isinstance(currency, str) else "",
        event_time=body.get("event_time"),
        limited_data_use=body.get("limited_data_use") is True,
        test_event_code=record["test_event_code"],
        request_id=record["request_id"],
        packed=pack(body),
    )
