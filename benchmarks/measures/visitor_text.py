"""P13: what a visitor's text costs, at worst."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from statistics import median
from time import process_time

from benchmarks.measured import Measured
from benchmarks.setup import Setup
from tests.hostile.readers import READERS
from tests.hostile.texts import PARTS, of_length
from tiktok_attribution.consent.cookie_rules import UnreadableConsent
from tiktok_attribution.exceptions import InvalidEvent

SHORT, LONG = 1_000, 8_000
MOST_GROWTH, AIM_GROWTH = 12, 9
LEAST_MS = 0.5
"""Growth is asked of what takes so long: below it a fixed cost or the noise is most of the figure."""

Pair = tuple[str, str]


def slowest_reader(setup: Setup) -> Measured:
    """The slowest of all readers with all texts at 8,000 characters; the yardstick is the same at 1,000."""
    pairs = [(reader, text) for reader in READERS for text in PARTS]
    short: dict[Pair, list[float]] = {pair: [] for pair in pairs}
    long: dict[Pair, list[float]] = {pair: [] for pair in pairs}
    for _ in range(setup.scale.rounds):
        for reader, text in pairs:
            for length, figures in ((SHORT, short), (LONG, long)):
                call = partial(READERS[reader], of_length(text, length))
                figures[reader, text].append(min(_milliseconds(call) for _ in range(3)))
    slowest = max(pairs, key=lambda pair: median(long[pair]))
    slow = [pair for pair in pairs if median(long[pair]) >= LEAST_MS] or [slowest]
    growth = {pair: median(long[pair]) / median(short[pair]) for pair in slow}
    steepest = max(slow, key=growth.__getitem__)
    return Measured.of_rounds(
        long[slowest],
        short[slowest],
        note=f"{' of '.join(slowest)}; steepest of {len(slow)} above {LEAST_MS} ms: {' of '.join(steepest)}, "
        f"{growth[steepest]:.1f}× (must ≤ {MOST_GROWTH}, aim ≤ {AIM_GROWTH}); {len(pairs)} pairs",
        must_also=growth[steepest] <= MOST_GROWTH,
        aim_also=growth[steepest] <= AIM_GROWTH,
    )


def _milliseconds(call: Callable[[], object]) -> float:
    started = process_time()
    with suppress(InvalidEvent, UnreadableConsent):
        call()
    return (process_time() - started) * 1000
