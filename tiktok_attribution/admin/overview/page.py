"""Everything the overview shows, as values: the template only lays them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from tiktok_attribution.admin.display.answers import explain_stored
from tiktok_attribution.admin.display.moments import here
from tiktok_attribution.admin.display.words import Words
from tiktok_attribution.admin.overview.chart import Chart, Step, chart
from tiktok_attribution.admin.overview.failures import Failure, failures
from tiktok_attribution.admin.overview.period import Period
from tiktok_attribution.delivery.figures import PixelFigures
from tiktok_attribution.delivery.turns import seen_at
from tiktok_attribution.events.hashing import MATCH_KEYS
from tiktok_attribution.models import PixelStatus, moment
from tiktok_attribution.monitoring.hourly import WHOLE
from tiktok_attribution.monitoring.summary import Summary, Totals, summarize

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
    failed: int
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
        Stopped(pixel, explain_stored(pixel), waiting.get(pixel.pk, 0))
        for pixel in (rows.filter(pk=period.pixel_code) if period.pixel_code else rows)
    ]


def _funnel_row(name: str, totals: Totals) -> FunnelRow:
    share = _percent(totals.counts["delivered"], totals.counts["recorded"] - totals.counts["browser_only"])
    median, slowest = duration(totals.delay(0.5)), duration(totals.delay(0.95))
    return FunnelRow(name, totals.counts, totals.failed, share, median, slowest)


def _percent(part: float, whole: float) -> str:
    return _("%(n)s %%") % {"n": _number(100 * part / whole, 0)} if whole > 0 else ""


def _steps(period: Period, summary: Summary) -> Iterator[Step]:
    for start, totals in summary.by_step.items():
        counts = totals.counts
        done = counts["delivered"] + totals.failed + counts["browser_only"] + counts["cancelled"]
        when = here(moment(start))
        title = date_format(when, "TIME_FORMAT" if period.is_hourly else "SHORT_DATE_FORMAT")
        yield Step(title, counts["delivered"], totals.failed, max(0, counts["recorded"] - done))


def _heat_row(name: str, totals: Totals) -> HeatRow:
    coverage, quality = totals.coverage(), totals.quality()
    cells = [Cell(_percent(coverage[key], 1), round(LEVELS * coverage[key])) for key in MATCH_KEYS]
    return HeatRow(name, cells, "" if quality is None else _number(quality, 1))
