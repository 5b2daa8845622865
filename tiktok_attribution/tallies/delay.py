"""Delays as counts in fixed buckets, so that hours can be added up and a median still be read.

The edges grow by a tenth of a decade (26 %), so a median that is read from them is at most so far off.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

EDGES = tuple(round(0.1 * 10 ** (step / 10), 4) for step in range(69))
"""Upper ends in seconds, 0.1 s to 7.3 days. The numbers of the buckets are stored: never change them."""

BUCKETS = len(EDGES) + 1


def bucket(seconds: float) -> int:
    """The bucket of a delay."""
    return bisect_left(EDGES, seconds)


def quantile(counts: Sequence[int], share: float) -> float | None:
    """The upper end of the bucket that holds this share of the delays, in seconds; None where there are none."""
    total = sum(counts)
    if not total:
        return None
    wanted, seen = share * total, 0
    for number, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return EDGES[min(number, len(EDGES) - 1)]
    return EDGES[-1]
