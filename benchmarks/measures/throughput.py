"""P1 and P2: how fast one process empties an outbox when TikTok answers at once."""

from __future__ import annotations

from functools import partial
from statistics import median

from benchmarks import lines
from benchmarks.measured import Measured
from benchmarks.rounds import take_turns
from benchmarks.setup import Setup
from benchmarks.yardsticks import raw_outbox, sdk


def against_raw_lease(setup: Setup) -> Measured:
    events, sink = setup.scale.events, setup.sink
    figures = take_turns(
        setup.scale.rounds,
        {
            "two writes": partial(lines.raw, raw_outbox.deliver_two_writes, sink, events),
            "lane": partial(lines.raw, raw_outbox.deliver_by_lane, sink, events),
            "ours": partial(lines.ours, sink, events),
        },
    )
    lane = median(figures["lane"])
    against_lane = median(mine / other for mine, other in zip(figures["ours"], figures["lane"], strict=True))
    note = f"the raw lane lease: {lane:,.0f} events/s, ours against it {against_lane:.2f}"
    return Measured.of_rounds(figures["ours"], figures["two writes"], note=note)


def against_sdk_and_save(setup: Setup) -> Measured:
    scale, sink = setup.scale, setup.sink
    figures = take_turns(
        scale.rounds,
        {
            "sdk": partial(_sdk_and_save, setup),
            "ours": partial(lines.ours, sink, scale.events),
        },
    )
    return Measured.of_rounds(figures["ours"], figures["sdk"])


def _sdk_and_save(setup: Setup) -> float:
    setup.sink.reset()
    rate = sdk.one_by_one_with_save(setup.sink.host, setup.scale.one_by_one)
    setup.sink.expect(setup.scale.one_by_one + 1)
    return rate
