"""P6: finding and leasing 1000 due rows, in tables from 10^4 rows up."""

from __future__ import annotations

import time
from functools import partial
from statistics import median

from benchmarks import rows
from benchmarks.measured import Measured
from benchmarks.measures.sized import sized
from benchmarks.rounds import take_turns
from benchmarks.setup import Setup
from tiktok_attribution.delivery import pixel_sender

_WARM_UP = 2


def by_table_size(setup: Setup) -> Measured:
    """From the call to the first byte that the sink sees: claim, body and connection."""
    aliases = [sized(power) for power in setup.scale.powers]
    rounds = 2 * setup.scale.rounds + 1 + _WARM_UP
    figures = take_turns(rounds, {alias: partial(_claim, setup, alias) for alias in aliases})
    medians = {alias: median(figures[alias][_WARM_UP:]) for alias in aliases}
    slowest, fastest = max(medians, key=medians.__getitem__), min(medians, key=medians.__getitem__)
    told = ", ".join(
        f"10^{power} {medians[alias]:.1f} ms" for power, alias in zip(setup.scale.powers, aliases, strict=True)
    )
    return Measured(
        ours=medians[slowest],
        yardstick=medians[fastest],
        ratios=[medians[slowest] / medians[fastest]],
        note=f"medians of {rounds - _WARM_UP} rounds: {told}",
    )


def _claim(setup: Setup, alias: str) -> float:
    """Milliseconds; the rows are delivered and stay in the table."""
    newest = int(rows.execute(f"SELECT coalesce(max(id), 0) FROM {rows.TABLE}", using=alias)[0][0])
    rows.add_due(1000, using=alias, lanes=1, first=newest + 1)
    setup.sink.reset()
    started = time.monotonic()
    pixel_sender.deliver(rows.PIXEL, using=alias)
    return (setup.sink.expect(1000).first_at - started) * 1000
