"""P3, P4 and P17: what is left of the speed when every answer takes 100 ms."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from statistics import median

from benchmarks import lines, rows
from benchmarks.children.process import Child, children
from benchmarks.measured import Measured
from benchmarks.rounds import take_turns
from benchmarks.setup import Setup
from benchmarks.yardsticks import raw_outbox, sdk
from benchmarks.yardsticks.post import Post

DELAY_SECONDS = 0.1
WORKERS = 4


def one_worker(setup: Setup) -> Measured:
    """The yardstick is one kept connection with a body always at hand: as many events as ours had in a POST, by RTT."""
    per_post: list[float] = []
    figures = take_turns(
        setup.scale.rounds,
        {"ours": partial(_one_worker, setup, per_post), "round trip": partial(_round_trip, setup)},
    )
    yardstick = [events / seconds for events, seconds in zip(per_post, figures["round trip"], strict=True)]
    note = f"{median(per_post):.0f} events in a POST, RTT {median(figures['round trip']) * 1000:.1f} ms"
    return Measured.of_rounds(figures["ours"], yardstick, note=note)


def _one_worker(setup: Setup, per_post: list[float]) -> float:
    events = setup.scale.delayed_events
    rate = lines.ours(setup.sink, events, delay=DELAY_SECONDS)
    per_post.append(events / setup.sink.stats().posts)
    return rate


def _round_trip(setup: Setup) -> float:
    """Seconds from handing a body of 1000 events over to having its answer."""
    text = str(rows.execute("SELECT payload FROM template")[0][0])
    setup.sink.reset(DELAY_SECONDS)
    with Post(setup.sink.url) as post:
        times = []
        for _ in range(4):
            started = time.perf_counter()
            post([text] * 1000)
            times.append(time.perf_counter() - started)
    return median(times[1:])  # the first one opened the connection


def four_workers(setup: Setup) -> Measured:
    with children(WORKERS, "deliverer") as workers:
        figures = take_turns(
            setup.scale.rounds,
            {"ours": partial(_four_workers, setup, workers), "sdk": partial(_sdk_one_by_one, setup)},
        )
    return Measured.of_rounds(figures["ours"], figures["sdk"])


def four_workers_and_raw(setup: Setup) -> Measured:
    """The yardstick: four raw processes with a lane each, which does the least that a lease needs."""
    with ExitStack() as stack:
        workers = stack.enter_context(children(WORKERS, "deliverer"))
        raw = [child for lane in range(WORKERS) for child in stack.enter_context(children(1, "raw_lane", str(lane)))]
        figures = take_turns(
            setup.scale.rounds,
            {"ours": partial(_four_workers, setup, workers), "raw": partial(_raw_workers, setup, raw)},
        )
    return Measured.of_rounds(figures["ours"], figures["raw"])


def _raw_workers(setup: Setup, workers: list[Child]) -> float:
    events = 2 * setup.scale.delayed_events
    raw_outbox.fill(events, lanes=WORKERS)
    setup.sink.reset(DELAY_SECONDS)
    started = time.perf_counter()
    for worker in workers:
        worker.go()
    for worker in workers:
        worker.result()
    seconds = time.perf_counter() - started
    setup.sink.expect(events)
    return events / seconds


def _four_workers(setup: Setup, workers: list[Child]) -> float:
    events = 2 * setup.scale.delayed_events
    rows.empty()
    rows.add_due(events)
    rows.execute(f"ANALYZE {rows.TABLE}")
    rows.execute(f"ANALYZE {rows.BODIES}")
    setup.sink.reset(DELAY_SECONDS)
    started = time.perf_counter()
    for worker in workers:
        worker.go()
    delivered = [worker.result() for worker in workers]
    seconds = time.perf_counter() - started
    setup.sink.expect(events)
    if sum(delivered) != events:
        raise AssertionError(f"{sum(delivered)} of {events} events were marked as delivered")
    return events / seconds


def _sdk_one_by_one(setup: Setup) -> float:
    setup.sink.reset(DELAY_SECONDS)
    rate = sdk.one_by_one(setup.sink.host, setup.scale.one_by_one_delayed)
    setup.sink.expect(setup.scale.one_by_one_delayed + 1)
    return rate
