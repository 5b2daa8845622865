"""Rounds in which several contestants take turns, so that a busy neighbour slows all of them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import perf_counter_ns


def take_turns(rounds: int, contestants: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """The figures of each contestant, one a round; who begins changes from round to round."""
    names = list(contestants)
    figures: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    for number in range(rounds):
        at = number % len(names)
        for name in names[at:] + names[:at]:
            figures[name].append(contestants[name]())
    return figures


def microseconds(call: Callable[[], object], times: int) -> float:
    """The time of one call, from a row of them."""
    started = perf_counter_ns()
    for _ in range(times):
        call()
    return (perf_counter_ns() - started) / times / 1000


def spread(figures: list[float]) -> float:
    """Distance of the quartiles: the variation that is there anyway."""
    ordered = sorted(figures)
    return ordered[len(ordered) * 3 // 4] - ordered[len(ordered) // 4]
