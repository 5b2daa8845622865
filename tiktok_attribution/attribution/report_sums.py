"""Sums of the roll-up and of spend: what the rows, days and totals of the report are made of."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum

from tiktok_attribution import conf
from tiktok_attribution.attribution.days import shop_pixels
from tiktok_attribution.attribution.report_figures import Figures, add_money
from tiktok_attribution.attribution.report_query import ReportQuery
from tiktok_attribution.attribution.report_spend import SpendRow, own_figures, spend_of
from tiktok_attribution.failures import describe
from tiktok_attribution.models import DailyAttribution

logger = logging.getLogger("tiktok_attribution")


def roll_up(query: ReportQuery, using: str, *, clock: str = "") -> QuerySet[DailyAttribution]:
    """Return the rows of the roll-up that the query is about, of every traffic and object."""
    rows = DailyAttribution.objects.using(using).filter(
        clock=clock or query.clock, model=query.model, window=query.window, day__range=(query.first, query.last)
    )
    if query.shop:
        rows = rows.filter(shop__in=shop_pixels(query.shop))
    if query.name:
        rows = rows.filter(name=query.name)
    if query.customers:
        rows = rows.filter(is_new=query.customers == "new")
    return rows.order_by()


class Rates:
    """Converts value into the one currency of the spend, with the site's own rates if it gives any."""

    def __init__(self, spend: Iterable[Spent]) -> None:
        currencies = {one.row.currency for one in spend}
        self.give = conf.current().attribution.rates
        self.home = currencies.pop() if len(currencies) == 1 else ""
        self._known: dict[tuple[str, date], Decimal | None] = {}

    @property
    def needs_days(self) -> bool:
        """Whether a rate depends on the day, so that sums must be asked for by day."""
        return self.give is not None and bool(self.home)

    def converted(self, amount: Decimal, currency: str, day: date | None) -> Decimal | None:
        """Return the amount in the spend's currency; None if there is no rate."""
        if not amount or currency == self.home:
            return amount
        if self.give is None or day is None or not currency:
            return None
        if (currency, day) not in self._known:
            self._known[currency, day] = self._asked(currency, day)
        rate = self._known[currency, day]
        return None if rate is None else amount * rate

    def _asked(self, currency: str, day: date) -> Decimal | None:
        try:
            rate = None if self.give is None else self.give(currency, day)
            read = None if rate is None else Decimal(str(rate))
        except InvalidOperation:
            return None
        except Exception as error:  # noqa: BLE001 -- the site's own code; a report without a rate is still a report
            logger.error("tiktok: ATTRIBUTION['rates'] failed (%s)", describe(error))  # noqa: TRY400
            return None
        return read if read is not None and read.is_finite() and read > 0 else None


class GroupSum(NamedTuple):
    """What the roll-up says of one group of rows."""

    columns: tuple[Any, ...]
    figures: Figures


_SUMS = {"credit": Sum("conversions"), "worth": Sum("value"), "back": Sum("refunded")}


def group_sums(rows: QuerySet[DailyAttribution], columns: Iterable[str], rates: Rates) -> Iterator[GroupSum]:
    """Yield the sums of the roll-up for each combination of these columns."""
    named = list(columns)
    days = ["day"] if rates.needs_days and "day" not in named else []
    groups = rows.values_list(*named, *days, "is_new", "currency").annotate(**_SUMS)
    place = named.index("day") if "day" in named else len(named)
    has_day = bool(days) or "day" in named
    for group in groups.iterator(chunk_size=2000):
        *_, is_new, currency, credit, worth, back = group
        figures = Figures(conversions=credit)
        if is_new is None:
            figures.unknown = credit
        elif is_new:
            figures.new = credit
        add_money(figures.value, currency, worth)
        add_money(figures.refunded, currency, back)
        figures.converted = rates.converted(worth, currency, group[place] if has_day else None)
        yield GroupSum(tuple(group[: len(named)]), figures)


class Spent(NamedTuple):
    """One row of spend, with its figures."""

    row: SpendRow
    figures: Figures


def spend_rows(query: ReportQuery, using: str) -> Iterator[Spent]:
    """Yield the rows of spend that the query is about."""
    for row in spend_of(query.first, query.last, query.shop, using=using):
        # TikTok does not tell new customers from others, so beside one sort of customers its figures would be wrong.
        yield Spent(row, _figures(row, "" if query.customers else query.name))


def _figures(row: SpendRow, name: str) -> Figures:
    own = own_figures(row.figures, name)
    return Figures(
        spend={row.currency: row.spend},
        impressions=row.impressions,
        clicks=row.clicks,
        own_conversions=own.conversions,
        own_views=own.views,
        own_value={} if own.value is None else {row.currency: own.value},
    )
