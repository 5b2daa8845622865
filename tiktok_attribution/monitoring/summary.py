"""Add up the hourly statistics of a period, for the overview.

The cost depends on the number of hours, not on the number of events. `summarize` returns `Totals` by event name, by
step of time, and of all together. `Totals` also estimates the match quality.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import HourlyStatistics
from tiktok_attribution.monitoring.hourly_statistics import BUCKETS, HOUR, quantile

COUNTS = (
    *(
        "recorded",
        "delivered",
        "waiting",
        "awaiting_consent",
        "invalid",
        "rejected",
        "expired",
        "cancelled",
        "browser_only",
    ),
    *("wanted", "shown", "confirmed", "both", "server_alone", "browser_alone"),
)
WEIGHTS = {
    **dict.fromkeys(("email", "phone", "ttclid"), 3.0),
    **dict.fromkeys(("external_id", "ttp"), 2.0),
    **dict.fromkeys(("ip", "user_agent"), 1.0),
}
"""Weights for the estimate of match quality: this project's own guess at the worth of each key, because TikTok
publishes no weights. TikTok's help names e-mail, phone and click id first. Keys without a weight help little and do
not count."""


@dataclass(slots=True)
class Totals:
    """The sums of several hours. Each count has the name of its field in `HourlyStatistics`."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    delays: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    match_keys: list[int] = field(default_factory=lambda: [0] * len(MATCH_KEYS))
    value_sums: dict[str, Decimal] = field(default_factory=dict)

    def add(self, hour: HourlyStatistics) -> None:
        """Add one hour."""
        for name in COUNTS:
            self.counts[name] += getattr(hour, name)
        for place, count in json.loads(hour.delays):
            self.delays[place] += count
        for bit, count in enumerate(json.loads(hour.match_keys)[: len(MATCH_KEYS)]):
            self.match_keys[bit] += count
        for currency, total in json.loads(hour.value_sums).items():
            self.value_sums[currency] = self.value_sums.get(currency, Decimal(0)) + Decimal(total)

    def merge(self, other: Totals) -> None:
        """Add other totals."""
        for name, count in other.counts.items():
            self.counts[name] += count
        self.delays = [mine + theirs for mine, theirs in zip(self.delays, other.delays, strict=True)]
        self.match_keys = [mine + theirs for mine, theirs in zip(self.match_keys, other.match_keys, strict=True)]
        for currency, total in other.value_sums.items():
            self.value_sums[currency] = self.value_sums.get(currency, Decimal(0)) + total

    @property
    def failed(self) -> int:
        """Return how many events failed, so that a person should look at them."""
        return self.counts["invalid"] + self.counts["rejected"] + self.counts["expired"]

    @property
    def built(self) -> int:
        """Return how many events have a body, and so could carry match keys."""
        return self.counts["recorded"] - self.counts["invalid"]

    def coverage(self) -> dict[str, float]:
        """Return, by match key, the share of the built events that carry it, 0 to 1; empty if no event was built."""
        return {
            key: min(1.0, self.match_keys[bit] / self.built) for bit, key in enumerate(MATCH_KEYS) if self.built > 0
        }

    def quality(self) -> float | None:
        """Estimate the match quality, 0 to 10: the mean of the coverages, by `WEIGHTS`. None without events."""
        coverage = self.coverage()
        if not coverage:
            return None
        return 10 * sum(weight * coverage[key] for key, weight in WEIGHTS.items()) / sum(WEIGHTS.values())

    def delay(self, share: float) -> float | None:
        """Return the seconds from conversion to delivery within which this share of the events was delivered."""
        return quantile(self.delays, share)


@dataclass(frozen=True, slots=True)
class Summary:
    """The totals of a period: by event name, by step (its start in epoch seconds), and of all together."""

    by_name: dict[str, Totals]
    by_step: dict[int, Totals]
    all: Totals


def summarize(starts: Iterable[int], end: int, *, pixel_code: str, using: str) -> Summary:
    """Add up the hours from the first of `starts` to before `end`, in steps that begin at `starts` (epoch seconds).

    `starts` may be in any order. `pixel_code` "" means every pixel.
    """
    steps = sorted(start // HOUR * HOUR for start in starts)
    summary = Summary({}, {start: Totals() for start in steps}, Totals())
    statistics = HourlyStatistics.objects.using(using).filter(hour__gte=steps[0], hour__lt=end).order_by("hour", "name")
    place = 0
    for hour in statistics.filter(pixel_code=pixel_code) if pixel_code else statistics:
        while place + 1 < len(steps) and steps[place + 1] <= hour.hour:
            place += 1
        for totals in (summary.by_name.setdefault(hour.name, Totals()), summary.by_step[steps[place]]):
            totals.add(hour)
    for totals in summary.by_name.values():
        summary.all.merge(totals)
    return summary
