"""What arrived on which channel, and what TikTok would count of it.

De-duplication as TikTok's help pages tell it (May 2025), by pixel + event + event_id: the same channel
again within 48 hours is dropped; the other channel within 5 minutes is merged, later it is dropped;
after 48 hours the event counts anew. The first to arrive is the one kept.
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
    """A name that never arrived counts nothing, and doesn't stand in it for having been asked for."""

    def __missing__(self, name: str) -> EventCount:
        return EventCount()


class Ledger:
    """Thread-safe. `clock` gives epoch seconds; `journal` is where it is kept across restarts."""

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
        """Take in what came in one request; it is in the journal before this returns."""
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
        """One row for each pixel + event + event_id, oldest first; test events are not among them."""
        with self._changed:
            fitting = (row for row in reversed(self._rows.values()) if _fits(row, event, pixel))
            return [copy.copy(row) for row in islice(fitting, newest)][::-1]

    @property
    def event_total(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def arrivals(self, channel: Channel | None = None, *, event: str = "", pixel: str = "") -> list[Arrival]:
        """Every arrival in order, repeats included; test events are not among them."""
        with self._changed:
            return [
                one
                for one in self._arrivals
                if (channel is None or one.channel == channel) and _fits(one, event, pixel)
            ]

    def merged(self, *, event: str = "", pixel: str = "") -> list[EventRow]:
        """The rows whose two channels became one event."""
        return [row for row in self.events(event=event, pixel=pixel) if row.merged]

    def test_events(self) -> list[Arrival]:
        """What came with a test_event_code: kept apart, never counted."""
        with self._changed:
            return list(self._test_arrivals)

    def counts(self, *, pixel: str = "") -> Counts:
        """By event name, over all pixels or one; zeros for a name of which nothing arrived."""
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
        """Wait until `condition(ledger)` holds, looking again at every arrival; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_seconds)

    def reset(self) -> None:
        """Forget everything, also across a restart."""
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
    """The de-duplication rules; the ends of both spans are inside."""
    if not row.window_channels or at - row.window_at > DEDUPLICATION_SECONDS:
        return "counted"
    if channel in row.window_channels:
        return "repeat"
    return "merged" if at - row.window_at <= MERGE_SECONDS else "late"


def _enter(row: EventRow, arrival: Arrival) -> None:
    """Write one arrival into its row; a merged one enriches what the first lacked."""
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
