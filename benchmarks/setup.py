"""What every measure gets: the sink, and how much of everything."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.sink import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes and rounds of a run."""

    rounds: int
    events: int  # delivered in a round at 0 ms
    delayed_events: int  # delivered in a round at 100 ms
    one_by_one: int  # events of a loop that sends one a call
    one_by_one_delayed: int
    orders: int  # of each kind
    powers: tuple[int, ...]  # of ten: rows in the tables that are claimed from
    calls: int  # of something that takes microseconds, in a round
    checkouts: int  # of one process
    processes: int  # rounds of measures that start a process in each
    limit_seconds: int  # for one goal, whatever happens


QUICK = Scale(
    rounds=3,
    events=12_000,
    delayed_events=12_000,
    one_by_one=250,
    one_by_one_delayed=10,
    orders=400,
    powers=(4, 5, 6),
    calls=5_000,
    checkouts=100,
    processes=2,
    limit_seconds=60,
)
FULL = Scale(
    rounds=7,
    events=40_000,
    delayed_events=40_000,
    one_by_one=1_000,
    one_by_one_delayed=30,
    orders=2_000,
    powers=(4, 5, 6, 7),
    calls=20_000,
    checkouts=400,
    processes=5,
    limit_seconds=1_800,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Servers run, Django is set up, the tables are empty."""

    sink: Sink
    scale: Scale
