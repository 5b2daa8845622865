"""The contestants of a throughput goal: each fills its table, delivers, and gives events a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

from benchmarks import rows
from benchmarks.sink import Sink
from benchmarks.yardsticks import raw_outbox
from benchmarks.yardsticks.post import Post
from tiktok_attribution.delivery import pixel_sender


def ours(sink: Sink, events: int, *, delay: float = 0.0) -> float:
    """One worker of the app."""
    rows.empty()
    rows.add_due(events)
    rows.execute(f"ANALYZE {rows.TABLE}")
    rows.execute(f"ANALYZE {rows.BODIES}")
    sink.reset(delay)
    started = time.perf_counter()
    counts = pixel_sender.deliver(rows.PIXEL, using="default")
    seconds = time.perf_counter() - started
    sink.expect(events)
    if counts["delivered"] != events:
        raise AssertionError(f"{counts['delivered']} of {events} events were marked as delivered")
    return events / seconds


def raw(deliver: Callable[[psycopg.Connection, Post], None], sink: Sink, events: int) -> float:
    """One of the raw lines."""
    raw_outbox.fill(events)
    sink.reset()
    with raw_outbox.connect() as database, Post(sink.url) as post:
        started = time.perf_counter()
        deliver(database, post)
        seconds = time.perf_counter() - started
    sink.expect(events)
    return events / seconds
