"""P10: what a worker needs beside itself for a batch, and whether that stays so."""

from __future__ import annotations

from functools import partial
from statistics import median

from benchmarks.children.process import children
from benchmarks.measured import Measured
from benchmarks.rounds import take_turns
from benchmarks.setup import Setup


def twenty_batches(setup: Setup) -> Measured:
    """The peak of the resident set after 20 batches; the yardstick is the raw lane lease in a process like it."""
    grown: dict[str, list[list[float]]] = {"ours": [], "raw": []}
    setup.sink.reset()
    figures = take_turns(setup.scale.processes, {who: partial(_peak, who, grown[who]) for who in grown})
    first = median(batches[0] for batches in grown["ours"])
    fifth = median(batches[4] for batches in grown["ours"])
    note = f"after the first batch {first:.1f} MB, after five {fifth:.1f} MB; the body of one is 1.2 MB"
    return Measured.of_rounds(figures["ours"], figures["raw"], note=note)


def _peak(who: str, grown: list[list[float]]) -> float:
    with children(1, "memory", who) as (child,):
        child.go()
        grown.append(child.result())
    return grown[-1][-1]
