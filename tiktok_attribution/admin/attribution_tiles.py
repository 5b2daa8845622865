"""The headline of the attribution page: its tiles, and the chart of spend and value by day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin.attribution_table import DASH, amount, fixed, money, number, percent
from tiktok_attribution.admin.charts import Bar, scale_top, side_by_side, width_of
from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.attribution.report import Day, Report, Totals
from tiktok_attribution.attribution.report_figures import NOTHING, Figures, Money


class Tile(NamedTuple):
    """A headline figure: its value now and before, the change in words, and what it means."""

    title: Text
    lines: list[str]
    before: list[str]
    change: str
    help: Text


class Headline(NamedTuple):
    """A figure as lines of text, and as the number and currency by which it is compared with another."""

    lines: list[str]
    value: Decimal | None
    currency: str = ""


def tiles_of(found: Report) -> list[Tile]:
    """Return the headline figures of the period, beside those of the period before."""
    tiles = []
    for title, words, figure in _TILES:
        now, before = figure(found.totals), figure(found.before)
        change = _change(now.value, before.value) if now.currency == before.currency else ""
        tiles.append(Tile(title, now.lines, before.lines, change, words))
    return tiles


def _sum(sums: Money) -> Headline:
    value, currency = (next(iter(sums.values())), next(iter(sums))) if len(sums) == 1 else (None, "")
    return Headline(money(sums), value, currency)


def _count(value: Decimal | int | None) -> Headline:
    return Headline([number(value)], None if value is None else Decimal(value))


def _ratio(value: Decimal | None) -> Headline:
    return Headline([fixed(value)], value)


def _cost(figures: Figures, value: Decimal | None) -> Headline:
    if value is None or figures.cost is None:
        return Headline([DASH], None)
    return Headline([amount(value, figures.cost[0])], value, figures.cost[0])


_TILES: tuple[tuple[Text, Text, Callable[[Totals], Headline]], ...] = (
    (_("Spend"), _("What TikTok's ads cost, as TikTok reports it."), lambda of: _sum(of.ads.spend)),
    (
        _("Net value"),
        _("Value of the conversions that TikTok's ads brought, after refunds."),
        lambda of: _sum(of.ads.value),
    ),
    (_("Conversions"), _("Those with a click on a TikTok ad."), lambda of: _count(of.ads.conversions)),
    (_("Attributed ROAS"), _("Net value divided by the spend."), lambda of: _ratio(of.ads.roas)),
    (
        _("Blended ROAS"),
        _("The value of all conversions of the site divided by TikTok's spend."),
        lambda of: _ratio(of.every.roas),
    ),
    (_("CPA"), _("Spend for one conversion."), lambda of: _cost(of.ads, of.ads.cpa)),
    (_("CAC"), _("Spend for one new customer."), lambda of: _cost(of.ads, of.ads.cac)),
    (_("New customers"), _("Conversions of customers who are new."), lambda of: _count(of.ads.new_customers)),
    (_("Clicks"), _("As TikTok counts them."), lambda of: _count(of.ads.clicks)),
    (_("Landings"), _("Visits by a click on a TikTok ad, of people who agreed."), lambda of: _count(of.landings)),
)


def _change(now: Decimal | None, before: Decimal | None) -> str:
    """Return the change in per cent of the figure before; "" where that is 0 or unknown."""
    if now is None or not before:
        return ""
    share = (now - before) / before
    return ("+" if share > 0 else "") + percent(share, 0)


class ChartDay(NamedTuple):
    """One day in the table beside the chart."""

    title: str
    spend: list[str]
    value: list[str]
    conversions: str
    landings: str
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyChart:
    """Bars of spend and value by day in one currency, and the figures of its scale from the top down."""

    bars: list[Bar]
    width: int
    scale: list[str]
    dates: list[str]
    currency: str
    others: list[str]
    days: list[ChartDay]


def money_chart(found: Report) -> MoneyChart:
    """Return the chart in the currency of the spend, or else in that of the largest value."""
    spent, earned = found.totals.ads.spend, found.totals.ads.value
    sums = spent or earned
    currency = max(sums, key=lambda code: sums[code], default="")
    amounts = [
        {
            "spend": day.figures.spend.get(currency, NOTHING),
            "value": max(day.figures.value.get(currency, NOTHING), NOTHING),
        }
        for day in found.days
    ]
    top = scale_top(max((value for both in amounts for value in both.values()), default=NOTHING))
    dates = [found.days[place].day for place in sorted({0, len(found.days) // 2, len(found.days) - 1})]
    return MoneyChart(
        bars=side_by_side(amounts, top),
        width=width_of(len(amounts)),
        scale=[amount(top * part / 2, currency) for part in (2, 1, 0)],
        dates=[date_format(day, "SHORT_DATE_FORMAT") for day in dates],
        currency=currency,
        others=sorted({*spent, *earned} - {currency}),
        days=[_chart_day(day) for day in found.days],
    )


def _chart_day(day: Day) -> ChartDay:
    figures = day.figures
    return ChartDay(
        date_format(day.day, "SHORT_DATE_FORMAT"),
        money(figures.spend),
        money(figures.value),
        number(figures.conversions),
        number(day.landings),
        day.is_final,
    )
