"""Everything the overview shows, as values: the template only lays them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from tiktok_attribution.admin import display
from tiktok_attribution.admin.overview.chart import Chart, Step, chart
from tiktok_attribution.admin.overview.failures import Failure, failures
from tiktok_attribution.admin.overview.period import Period
from tiktok_attribution.admin.words import Words, explain
from tiktok_attribution.delivery.figures import PixelFigures
from tiktok_attribution.delivery.heartbeat import seen_at
from tiktok_attribution.events.matching import MATCH_KEYS
from tiktok_attribution.models import PixelStatus, moment
from tiktok_attribution.tallies.refresh import WHOLE
from tiktok_attribution.tallies.summary import Summary, Totals, summarize

LEVELS = 5
"""Steps of colour of the heat map, besides none."""


class Stopped(NamedTuple):
    """A pixel that may not send, and what that means."""

    pixel: PixelStatus
    words: Words | None
    waiting: int


class Cell(NamedTuple):
    """A share of the heat map as text, and its step of colour."""

    text: str
    level: int


class FunnelRow(NamedTuple):
    """One event name."""

    name: str
    counts: dict[str, int]
    trouble: int
    delivered_share: str
    median: str
    slowest: str


class HeatRow(NamedTuple):
    """One event name's match keys, in the order of MATCH_KEYS, and the estimate of its match quality."""

    name: str
    cells: list[Cell]
    quality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The parts in the order of the page."""

    period: Period
    stopped: list[Stopped]
    waiting: list[PixelFigures]
    oldest: str
    funnel: list[FunnelRow]
    total: FunnelRow
    chart: Chart
    failures: list[Failure]
    heat_keys: tuple[str, ...]
    heat: list[HeatRow]
    values: list[tuple[str, str, str]]
    is_counted_whole: bool

    @property
    def is_empty(self) -> bool:
        """Nothing was recorded in the period."""
        return not self.funnel


def overview_page(period: Period, found: Sequence[PixelFigures], *, using: str, site: str) -> OverviewPage:
    """Reads the tallies and the newest attempts; the pixels' figures are given."""
    summary = summarize(period.starts, period.end, pixel_code=period.pixel_code, using=using)
    now = [one for one in found if not period.pixel_code or one.pixel_code == period.pixel_code]
    return OverviewPage(
        period=period,
        stopped=_stopped(period, now, using),
        waiting=[one for one in now if one.waiting],
        oldest=duration(max((one.oldest_due_seconds for one in now if one.due), default=None)),
        funnel=[_funnel_row(name, totals) for name, totals in sorted(summary.by_name.items())],
        total=_funnel_row(_("All events"), summary.all),
        chart=chart(list(_steps(period, summary))),
        failures=failures(moment(period.starts[0]), pixel_code=period.pixel_code, using=using, site=site),
        heat_keys=MATCH_KEYS,
        heat=[_heat_row(name, totals) for name, totals in sorted(summary.by_name.items()) if totals.built > 0],
        values=[
            (name, number_format(total.quantize(Decimal("0.01")), 2, use_l10n=True, force_grouping=True), currency)
            for name, totals in sorted(summary.by_name.items())
            for currency, total in sorted(totals.value_sums.items())
        ],
        is_counted_whole=seen_at(WHOLE.name, using=using) is not None,
    )


def as_rows(period: Period, *, using: str) -> Iterator[list[object]]:
    """The figures as lines of a table, for the export: one a step of time, and one a name for the whole period."""
    summary = summarize(period.starts, period.end, pixel_code=period.pixel_code, using=using)
    names = list(Totals().counts)
    yield ["part", "name", *names, "median_seconds", "p95_seconds", "match_quality_estimate", *MATCH_KEYS, "value"]
    lines = [("event", name, totals) for name, totals in sorted(summary.by_name.items())]
    lines += [("time", _stamp(start), totals) for start, totals in summary.by_step.items()]
    for part, name, totals in [*lines, ("all", "", summary.all)]:
        quality = totals.quality()
        money = " ".join(f"{total} {currency}" for currency, total in sorted(totals.value_sums.items()))
        yield [
            *(part, name, *totals.counts.values(), totals.delay(0.5), totals.delay(0.95)),
            *(None if quality is None else round(quality, 1), *totals.match_keys, money),
        ]


def duration(seconds: float | None) -> str:
    """ "3.2 s", "12 min", "5.0 h", "2.0 d"; "" for None."""
    if seconds is None:
        return ""
    if seconds < 90:
        return _("%(n)s s") % {"n": _number(seconds, 1)}
    if seconds < 5400:
        return _("%(n)s min") % {"n": _number(seconds / 60, 0)}
    if seconds < 129_600:
        return _("%(n)s h") % {"n": _number(seconds / 3600, 1)}
    return _("%(n)s d") % {"n": _number(seconds / 86_400, 1)}


def _number(value: float, decimals: int) -> str:
    """Rounded, for `number_format` cuts off."""
    return number_format(round(value, decimals), decimals)


def _stopped(period: Period, now: list[PixelFigures], using: str) -> list[Stopped]:
    rows = PixelStatus.objects.using(using).filter(stopped_at__isnull=False).order_by("pk")
    waiting = {one.pixel_code: one.waiting for one in now if one.database == using}
    return [
        Stopped(pixel, explain(display.answer_of(pixel)), waiting.get(pixel.pk, 0))
        for pixel in (rows.filter(pk=period.pixel_code) if period.pixel_code else rows)
    ]


def _funnel_row(name: str, totals: Totals) -> FunnelRow:
    share = _percent(totals.counts["delivered"], totals.counts["recorded"] - totals.counts["browser_only"])
    median, slowest = duration(totals.delay(0.5)), duration(totals.delay(0.95))
    return FunnelRow(name, totals.counts, totals.trouble, share, median, slowest)


def _percent(part: float, whole: float) -> str:
    return _("%(n)s %%") % {"n": _number(100 * part / whole, 0)} if whole > 0 else ""


def _steps(period: Period, summary: Summary) -> Iterator[Step]:
    for start, totals in summary.by_step.items():
        counts = totals.counts
        done = counts["delivered"] + totals.trouble + counts["browser_only"] + counts["cancelled"]
        when = _here(start)
        title = date_format(when, "TIME_FORMAT" if period.is_hourly else "SHORT_DATE_FORMAT")
        yield Step(title, counts["delivered"], totals.trouble, max(0, counts["recorded"] - done))


def _heat_row(name: str, totals: Totals) -> HeatRow:
    coverage, quality = totals.coverage(), totals.quality()
    cells = [Cell(_percent(coverage[key], 1), round(LEVELS * coverage[key])) for key in MATCH_KEYS]
    return HeatRow(name, cells, "" if quality is None else _number(quality, 1))


def _here(epoch: float) -> datetime:
    when = moment(epoch)
    return timezone.localtime(when) if timezone.is_aware(when) else when


def _stamp(epoch: int) -> str:
    return _here(epoch).isoformat(timespec="minutes")
