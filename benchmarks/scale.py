"""`python -m benchmarks.scale`: what each step of docs/scale.md needs, computed from figures that were measured.

Arithmetic, no measurement: it says what binds first if the figures below hold. Put your own run's in their place.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

DAY = 86_400
STEPS = (100_000, 1_000_000, 10_000_000, 86_400_000, 864_000_000)
PEAK = 4  # of the busiest hour against the mean; a guess, for a shop with a night
TIKTOK_PER_SECOND = 1000  # of one account, and the default of EVENTS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """From a two-core machine (docs/measurements.md) and the measured row sizes."""

    worker_at_100_ms: float = 11_000  # events a second, one worker with two lanes at once (P3)
    row_bytes: int = 1_520  # body and state, of an event of 1,170 bytes
    cleared_row_bytes: int = 250
    wal_bytes: int = 2_070 + 540  # inserted once, marked once; whole pages after a checkpoint come on top
    payload_days: int = 14
    event_days: int = 90
    pruned_per_call: int = 50_000  # housekeeping.prune_all: at most so many rows of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What so many events a day ask for."""

    per_day: int
    peak_per_second: float
    accounts: int
    workers: int
    table_gigabytes: float
    rows: int
    wal_gigabytes_a_day: float
    prunes_a_day: int


def need(per_day: int, figures: Figures) -> Need:
    """`accounts`: how many of TikTok's limits the mean fills; a peak above it waits in the outbox."""
    mean = per_day / DAY
    bare = figures.event_days - figures.payload_days
    kept = per_day * (figures.payload_days * figures.row_bytes + bare * figures.cleared_row_bytes)
    return Need(
        per_day=per_day,
        peak_per_second=PEAK * mean,
        accounts=math.ceil(mean / TIKTOK_PER_SECOND),
        workers=math.ceil(PEAK * mean / figures.worker_at_100_ms),
        table_gigabytes=kept / 1e9,
        rows=per_day * figures.event_days,
        wal_gigabytes_a_day=per_day * figures.wal_bytes / 1e9,
        prunes_a_day=math.ceil(per_day / figures.pruned_per_call),
    )


def main() -> None:
    """The table of docs/scale.md."""
    form = "{:>12} {:>9} {:>9} {:>8} {:>15} {:>9} {:>11} {:>11}\n"
    sys.stdout.write(
        form.format("events/day", "peak/s", "accounts", "workers", "rows kept", "table GB", "WAL GB/day", "prunes/day")
    )
    for step in STEPS:
        it = need(step, Figures())
        sys.stdout.write(
            form.format(
                f"{it.per_day:,}",
                f"{it.peak_per_second:,.0f}",
                it.accounts,
                it.workers,
                f"{it.rows:,}",
                f"{it.table_gigabytes:,.0f}",
                f"{it.wal_gigabytes_a_day:,.1f}",
                f"{it.prunes_a_day:,}",
            )
        )


if __name__ == "__main__":
    main()
