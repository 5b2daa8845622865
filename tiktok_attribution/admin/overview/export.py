"""The figures of a period as lines of a table, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

from tiktok_attribution.admin.display.moments import here
from tiktok_attribution.admin.overview.period import Period
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import moment
from tiktok_attribution.monitoring.summary import Totals, summarize


def lines(period: Period, *, using: str) -> Iterator[list[object]]:
    """The titles, then a line for each name, for each step of time, and for all."""
    summary = summarize(period.starts, period.end, pixel_code=period.pixel_code, using=using)
    names = list(Totals().counts)
    yield ["part", "name", *names, "median_seconds", "p95_seconds", "match_quality_estimate", *MATCH_KEYS, "value"]
    parts = [("event", name, totals) for name, totals in sorted(summary.by_name.items())]
    parts += [("time", _stamp(start), totals) for start, totals in summary.by_step.items()]
    for part, name, totals in [*parts, ("all", "", summary.all)]:
        quality = totals.quality()
        money = " ".join(f"{total} {currency}" for currency, total in sorted(totals.value_sums.items()))
        yield [
            *(part, name, *totals.counts.values(), totals.delay(0.5), totals.delay(0.95)),
            *(None if quality is None else round(quality, 1), *totals.match_keys, money),
        ]


def _stamp(epoch: int) -> str:
    return here(moment(epoch)).isoformat(timespec="minutes")
