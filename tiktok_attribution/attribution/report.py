"""The attribution report: what TikTok's ads cost and what they brought, by campaign, ad group, ad, placement or page.

`report` answers a `ReportQuery` from the daily roll-up, `AdSpend` and daily counts. It reads no touch and no
conversion, so its cost depends on the rows of the roll-up and not on the site's orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Max, QuerySet, Sum

from tiktok_attribution.attribution.days import shop_pixels
from tiktok_attribution.attribution.report_figures import NOTHING, Figures
from tiktok_attribution.attribution.report_objects import UNKNOWN
from tiktok_attribution.attribution.report_query import MODELS, OBJECT_LEVELS, ReportQuery, zone_of
from tiktok_attribution.attribution.report_rows import Listed, Row
from tiktok_attribution.attribution.report_spend import is_of_shop
from tiktok_attribution.attribution.report_sums import Rates, Spent, group_sums, roll_up, spend_rows
from tiktok_attribution.consent.types import REFUSALS
from tiktok_attribution.models import (
    AdSpend,
    Clock,
    DailyAttribution,
    HourlyStatistics,
    LandingCount,
    SuppressedCount,
    Traffic,
)

WITHOUT = ""
"""The traffic of the part of the conversions that no touch brought."""
LANDED = "stored"
"""The outcome of a landing by a TikTok ad that was kept as a touch."""
MOST_NAMES = 100
ENDED_DAYS = 36
"""Days after which an advertiser without spend has ended: one more than an import reads again."""


@dataclass(slots=True)
class Day:
    """One day: TikTok's ads (`figures`), all of the site's conversions (`every`), landings, and whether it is final."""

    day: date
    figures: Figures
    every: Figures
    landings: int
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of a whole period.

    `ads` is what TikTok's ads cost and brought. `by_traffic` are all conversions by what brought them, with "" for
    those that no touch brought; they add up to `every`, which has the same spend, for the blended ROAS.
    """

    ads: Figures
    every: Figures
    by_traffic: Mapping[str, Figures]
    landings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer to a query. `listed` adds up the rows, which are those inside the chosen campaign or ad group.

    `erased` are conversions of people whose data was erased: they count in every sum, and nothing else of them is kept.
    `refused` and `suppressed` count events that were never recorded, once for each pixel; they have no conversion.
    `undelivered` counts the events of all visitors, once for each pixel, that TikTok refused or never got.
    `spend_until` is the last day of which the spend of every advertiser is known; None without spend.
    """

    query: ReportQuery
    rows: list[Row]
    listed: Figures
    totals: Totals
    before: Totals
    days: list[Day]
    unknown_object: Decimal
    erased: Decimal
    refused: int
    suppressed: int
    undelivered: int
    spend_until: date | None
    names: list[str]
    inside: dict[str, str]

    @property
    def is_empty(self) -> bool:
        """Return whether the period has neither conversions nor spend."""
        return not (self.totals.every.conversions or self.totals.ads.spend or self.totals.landings)


def report(query: ReportQuery, *, using: str, today: date, with_windows: bool = False) -> Report:
    """Answer the query. `today` decides which days are not final; `with_windows` adds every window to the rows."""
    spend = list(spend_rows(query, using))
    rates = Rates(spend)
    listed = Listed(query, using, rates)
    listed.learn(spend)
    rows = listed.rows(with_windows=with_windows)
    counts = _suppressed(query, using)
    days = _days(query, spend, using, rates, today)
    earlier = query.before()
    landings_before = sum(_landings(earlier, using).values())
    total = Figures()
    for row in rows:
        total.add(row.figures)
    return Report(
        query=query,
        rows=rows,
        listed=total,
        totals=_totals(query, spend, using, rates, sum(day.landings for day in days)),
        before=_totals(earlier, list(spend_rows(earlier, using)), using, rates, landings_before),
        days=days,
        unknown_object=next((row.figures.conversions for row in rows if row.key == UNKNOWN), NOTHING),
        erased=_credits(roll_up(query, using).filter(is_erased=True)),
        refused=counts[0],
        suppressed=counts[1],
        undelivered=_undelivered(query, using),
        spend_until=spend_known_until(query.shop, using=using),
        names=event_names(query.first, query.last, using=using),
        inside={
            level: listed.index.name(OBJECT_LEVELS.index(level), key) or key for level, key in query.inside.items()
        },
    )


def event_names(first: date, last: date, *, using: str) -> list[str]:
    """Return the names of the events that have conversions in a period, sorted; at most `MOST_NAMES`."""
    # Each conversion stands in the rows of every clock and model, so those of one are enough, and its index finds them.
    one = {"clock": Clock.CONVERSION.value, "model": MODELS[0]}
    period = DailyAttribution.objects.using(using).filter(**one, day__range=(first, last))
    return list(period.order_by("name").values_list("name", flat=True).distinct()[:MOST_NAMES])


def spend_known_until(shop: str, *, using: str) -> date | None:
    """Return the last day of which the spend of every advertiser is known; None without spend.

    An advertiser that has no spend in the newest `ENDED_DAYS` days has ended, and does not hold the others back.
    """
    rows = AdSpend.objects.using(using).filter(is_current=True)
    newest = rows.order_by("-day").values_list("day", flat=True).first()
    if newest is None:
        return None
    recent = rows.filter(day__gt=newest - timedelta(days=ENDED_DAYS)).order_by()
    days = [
        last
        for advertiser, last in recent.values_list("advertiser").annotate(Max("day"))
        if is_of_shop(shop, advertiser)
    ]
    return min(days, default=None)


def _totals(query: ReportQuery, spend: Iterable[Spent], using: str, rates: Rates, landings: int) -> Totals:
    by_traffic: dict[str, Figures] = {WITHOUT: Figures(), **{traffic: Figures() for traffic in Traffic.values}}
    for found in group_sums(roll_up(query, using), ["traffic"], rates):
        by_traffic.setdefault(str(found.columns[0]), Figures()).add(found.figures)
    ads, every, cost = Figures(), Figures(), Figures()
    for one in spend:
        cost.add(one.figures)
    for figures in (by_traffic[Traffic.PAID], cost, Figures(by_click=_by_click(query, using))):
        ads.add(figures)
    for figures in by_traffic.values():
        every.add(figures)
    every.add(Figures(spend=cost.spend))
    return Totals(ads=ads, every=every, by_traffic=by_traffic, landings=landings)


def _by_click(query: ReportQuery, using: str) -> Decimal:
    return _credits(roll_up(query, using, clock=Clock.CLICK.value).filter(traffic=Traffic.PAID))


def _credits(rows: QuerySet[DailyAttribution]) -> Decimal:
    return rows.aggregate(credits=Sum("conversions"))["credits"] or NOTHING


def _days(query: ReportQuery, spend: Iterable[Spent], using: str, rates: Rates, today: date) -> list[Day]:
    landings = _landings(query, using)
    young = today - timedelta(days=query.window)
    dates = [query.first + timedelta(days=place) for place in range(query.days)]
    days = {day: Day(day, Figures(), Figures(), landings.get(day, 0), day <= young) for day in dates}
    for found in group_sums(roll_up(query, using), ["day", "traffic"], rates):
        day = days[found.columns[0]]
        day.every.add(found.figures)
        if found.columns[1] == Traffic.PAID:
            day.figures.add(found.figures)
    for one in spend:
        days[one.row.day].figures.add(one.figures)
    return list(days.values())


def _landings(query: ReportQuery, using: str) -> dict[date, int]:
    rows = LandingCount.objects.using(using).filter(day__range=(query.first, query.last), outcome=LANDED)
    if query.shop:
        rows = rows.filter(shop__in=shop_pixels(query.shop))
    return dict(rows.order_by().values_list("day").annotate(Sum("count")))


def _suppressed(query: ReportQuery, using: str) -> tuple[int, int]:
    """Return how many events visitors refused, and how many were suppressed for another reason."""
    rows = SuppressedCount.objects.using(using).filter(day__range=(query.first, query.last))
    if query.shop:
        rows = rows.filter(pixel_code=query.shop)
    if query.name:
        rows = rows.filter(name=query.name)
    counts = dict(rows.order_by().values_list("reason").annotate(Sum("count")))
    refused = sum(counts.get(reason.value, 0) for reason in REFUSALS)
    return refused, sum(counts.values()) - refused


def _undelivered(query: ReportQuery, using: str) -> int:
    """Return how many recorded events of the period TikTok refused or never got, by the hourly statistics."""
    zone = zone_of(query.shop)
    start, end = (
        int(datetime.combine(day, time.min, tzinfo=zone).timestamp())
        for day in (query.first, query.last + timedelta(days=1))
    )
    rows = HourlyStatistics.objects.using(using).filter(hour__gte=start, hour__lt=end)
    if query.shop:
        rows = rows.filter(pixel_code=query.shop)
    if query.name:
        rows = rows.filter(name=query.name)
    sums = rows.aggregate(invalid=Sum("invalid"), rejected=Sum("rejected"), expired=Sum("expired"))
    return sum(count or 0 for count in sums.values())
