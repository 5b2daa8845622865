"""How much a worker grows: one event to warm up, then twenty batches of 1000. `ours` or `raw`; Linux only.

Prints the growth of the resident set's peak in MB, after the first batch and after the last.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import django

from benchmarks.children.process import when_told

BATCHES, BATCH = 20, 1000


def growth(fill: Callable[[int], None], deliver: Callable[[], object]) -> list[float]:
    """After each batch."""
    fill(1)
    deliver()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    start = _megabytes("VmHWM")
    grown = []
    for _ in range(BATCHES):
        fill(BATCH)
        deliver()
        grown.append(_megabytes("VmHWM") - start)
    return grown


def _megabytes(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def ours() -> list[float]:
    from benchmarks import rows  # noqa: PLC0415 -- needs Django set up
    from tiktok_attribution.delivery import pixel_sender  # noqa: PLC0415

    def fill(number: int) -> None:
        rows.empty()
        rows.add_due(number, lanes=1)

    return growth(fill, lambda: pixel_sender.deliver(rows.PIXEL, using="default"))


def raw() -> list[float]:
    from benchmarks.yardsticks import raw_outbox  # noqa: PLC0415 -- needs Django set up
    from benchmarks.yardsticks.post import Post  # noqa: PLC0415

    with Post(os.environ["BENCHMARKS_SINK_URL"]) as post, raw_outbox.connect() as database:
        return growth(raw_outbox.fill, lambda: raw_outbox.deliver_by_lane(database, post))


if __name__ == "__main__":
    django.setup()
    when_told({"ours": ours, "raw": raw}[sys.argv[1]])
