"""The data of the attribution page: filters, links, notes, what the figures add up to, and help on an empty page.

`attribution_page` collects everything as values, so that the template only arranges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution import conf
from tiktok_attribution.admin.attribution_query import ALL, Asked, declared_events
from tiktok_attribution.admin.attribution_table import (
    LEVEL_TITLES,
    Table,
    address_of,
    conversions_address,
    fixed,
    money,
    number,
    signed,
    table_of,
)
from tiktok_attribution.admin.attribution_tiles import MoneyChart, Tile, money_chart, tiles_of
from tiktok_attribution.admin.conversion_query import TRAFFIC
from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.attribution.code_sums import CodeSum
from tiktok_attribution.attribution.conversion_search import WITHOUT
from tiktok_attribution.attribution.report import Report
from tiktok_attribution.attribution.report_figures import Figures
from tiktok_attribution.attribution.report_query import CLOCKS, CUSTOMERS, LEVELS, MODELS, PRESETS

PERIOD_TITLES: Mapping[str, Text] = {
    "today": _("Today"),
    "yesterday": _("Yesterday"),
    "7": _("Last 7 days"),
    "28": _("Last 28 days"),
    "30": _("Last 30 days"),
    "month": _("This month"),
    "last-month": _("Last month"),
}
MODEL_TITLES: Mapping[str, Text] = {
    "last_tiktok": _("Last TikTok click"),
    "last_touch": _("Last touch"),
    "first_touch": _("First touch"),
    "linear": _("Linear"),
}
CLOCK_TITLES: Mapping[str, Text] = {"conversion": _("Day of the conversion"), "click": _("Day of the click")}
CUSTOMER_TITLES: Mapping[str, Text] = {"new": _("New customers"), "returning": _("Returning customers")}
TRAFFIC_TITLES: Mapping[str, Text] = {
    "paid": _("With a click on a TikTok ad"),
    "organic": _("From TikTok, without an ad"),
    "other": _("From another source"),
    "": _("Without a touch in the window"),
}

WITHOUT_CLICK = _("Without a click on a TikTok ad in the window")


class Option(NamedTuple):
    """One choice of a filter."""

    value: str
    title: Text
    is_chosen: bool


class Filter(NamedTuple):
    """A filter of the form."""

    name: str
    title: Text
    options: list[Option]


class Link(NamedTuple):
    """A link to another state of the page."""

    title: Text
    address: str
    is_current: bool = False


class CodeLine(NamedTuple):
    """A voucher code with its conversions, whatever clicks came before them."""

    code: str
    creator: str
    campaign: str
    conversions: str
    value: list[str]


class Sum(NamedTuple):
    """A line of the sum of all conversions. `address` is the query of the list of them."""

    title: Text
    conversions: str
    value: list[str]
    address: str


@dataclass(slots=True, kw_only=True)
class AttributionPage:
    """The data of the page, in its order."""

    asked: Asked
    periods: list[Link]
    period_text: str
    before_text: str
    filters: list[Filter]
    hidden: list[tuple[str, str]]
    windows: Link
    levels: list[Link]
    trail: list[Link]
    tiles: list[Tile]
    notes: list[str]
    chart: MoneyChart
    table: Table
    comparison: list[tuple[Text, str]]
    footer: list[Sum]
    beside: list[tuple[Text, str]]
    codes: list[CodeLine]
    steps: list[Text] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the period has neither conversions nor spend, so that the page says what to do."""
        return bool(self.steps)


def attribution_page(
    found: Report, asked: Asked, *, shops: Iterable[str], codes: Iterable[CodeSum] = ()
) -> AttributionPage:
    """Arrange the report for the page."""
    query, before = asked.query, asked.query.before()
    return AttributionPage(
        asked=asked,
        periods=[
            Link(PERIOD_TITLES[key], address_of(asked, "from", "to", period=key), key == asked.period)
            for key in PRESETS
        ],
        period_text=_dates(query.first, query.last),
        before_text=_dates(before.first, before.last),
        filters=list(_filters(found, asked, shops)),
        hidden=[
            (name, asked.parameters[name])
            for name in ("period", "by", "campaign", "adgroup", "sort", "windows")
            if name in asked.parameters
        ],
        windows=_windows(asked),
        levels=[Link(LEVEL_TITLES[level], address_of(asked, "by", by=level), level == query.by) for level in LEVELS],
        trail=_trail(found, asked),
        tiles=tiles_of(found),
        notes=list(_notes(found, asked)),
        chart=money_chart(found),
        table=table_of(found, asked, conf.current().attribution.windows),
        comparison=list(_comparison(found)),
        footer=[
            *(
                Sum(title, number(one.conversions), money(one.value), _listed(asked, key))
                for key, title, one in _by_traffic(found)
            ),
            Sum(
                _("All conversions"),
                number(found.totals.every.conversions),
                money(found.totals.every.value),
                _listed(asked),
            ),
        ],
        beside=list(_beside(found)),
        codes=[
            CodeLine(
                one.voucher.code,
                one.voucher.creator,
                one.voucher.campaign_name or one.voucher.campaign_id,
                number(one.conversions),
                money(one.value),
            )
            for one in codes
        ],
        steps=_steps(found) if found.is_empty else [],
    )


def _dates(first: object, last: object) -> str:
    texts = [date_format(day, "DATE_FORMAT") for day in (first, last)]  # type: ignore[arg-type]
    return texts[0] if first == last else f"{texts[0]} – {texts[1]}"


def _listed(asked: Asked, traffic: str | None = None) -> str:
    return conversions_address(asked, **({} if traffic is None else {TRAFFIC: traffic or WITHOUT}))


def _by_traffic(found: Report) -> list[tuple[str, Text, Figures]]:
    """Return the parts of all conversions: key, title and figures. The last TikTok click knows ads alone: it has two.

    With four, a visitor who came from an unpaid post of TikTok's would stand in "Without a touch".
    """
    figures = found.totals.by_traffic
    if found.query.model == MODELS[0] and not figures["organic"].conversions and not figures["other"].conversions:
        return [("paid", TRAFFIC_TITLES["paid"], figures["paid"]), ("", WITHOUT_CLICK, figures[""])]
    return [(key, title, figures[key]) for key, title in TRAFFIC_TITLES.items()]


def _windows(asked: Asked) -> Link:
    if asked.with_windows:
        return Link(_("Hide the other windows"), address_of(asked, "windows"))
    return Link(_("Show all windows side by side"), address_of(asked, windows="1"))


def _filters(found: Report, asked: Asked, shops: Iterable[str]) -> Iterator[Filter]:
    query = asked.query
    events = sorted({*found.names, *declared_events(), *([query.name] if query.name else [])})
    windows = [(str(days), gettext("%(days)d days") % {"days": days}) for days in conf.current().attribution.windows]
    choices: list[tuple[str, Text, str, list[tuple[str, Text]]]] = [
        ("event", _("Event"), query.name or ALL, [(ALL, _("All events")), *((name, name) for name in events)]),
        ("model", _("Model"), query.model, [(key, MODEL_TITLES[key]) for key in MODELS]),
        ("window", _("Window"), str(query.window), list(windows)),
        ("clock", _("Clock"), query.clock, [(key, CLOCK_TITLES[key]) for key in CLOCKS]),
        (
            "customers",
            _("Customers"),
            query.customers,
            [("", _("All customers")), *((key, CUSTOMER_TITLES[key]) for key in CUSTOMERS)],
        ),
    ]
    pixels = list(shops)
    if len(pixels) > 1:
        choices.append(("pixel", _("Pixel"), query.shop, [("", _("All pixels")), *((code, code) for code in pixels)]))
    for name, title, chosen, options in choices:
        yield Filter(name, title, [Option(value, text, value == chosen) for value, text in options])


def _trail(found: Report, asked: Asked) -> list[Link]:
    """Return the way back up from the ad groups of a campaign, or the ads of an ad group."""
    if not found.inside:
        return []
    links = [Link(_("All campaigns"), address_of(asked, "by", "campaign", "adgroup"))]
    titles = {level: name or str(gettext("unknown")) for level, name in found.inside.items()}
    if "campaign" in titles:
        links.append(
            Link(titles["campaign"], address_of(asked, "by", "adgroup", by="adgroup"), "adgroup" not in titles)
        )
    if "adgroup" in titles:
        links.append(Link(titles["adgroup"], address_of(asked), is_current=True))
    return links


def _notes(found: Report, asked: Asked) -> Iterator[str]:
    if not conf.current().attribution.enabled:
        yield gettext("ATTRIBUTION is off in the settings, so nothing new is counted.")
    if found.spend_until is not None and found.spend_until < asked.query.last:
        day = date_format(found.spend_until, "DATE_FORMAT")
        yield gettext("Spend is known until %(day)s. Later days have conversions and no cost.") % {"day": day}
    young = [day for day in found.days if not day.is_final]
    if young:
        days = {"days": asked.query.window, "from": date_format(young[0].day, "DATE_FORMAT")}
        yield gettext("Days from %(from)s are not final: they are younger than the window of %(days)d days.") % days
    codes = {code for code in (*found.totals.ads.spend, *found.totals.every.value) if code}
    if len(codes) > 1 and conf.current().attribution.rates is None:
        yield gettext("There are several currencies. They are never added up, and ratios stand only within one.")


# Decision: events that TikTok did not get stand beside the difference and are not taken off it. They are those of all
# visitors, and nobody knows how many of them TikTok would have given to an ad.
def _comparison(found: Report) -> Iterator[tuple[Text, str]]:
    ads = found.totals.ads
    if ads.difference is None:
        return
    yield _("TikTok's conversions"), number(ads.own_conversions)
    yield _("The site's conversions with a click on a TikTok ad"), number(ads.conversions)
    yield _("Difference"), signed(ads.difference)
    yield _("of it: after a view, which a site can't see"), signed(ads.own_views)
    yield _("of it: the clock, because TikTok counts on the day of the click"), signed(ads.clock_part)
    yield _("not explained"), signed(ads.not_explained)
    yield _("Events of all visitors that TikTok refused or never got, for each pixel"), number(found.undelivered)
    yield _("TikTok's value"), " · ".join(money(ads.own_value))
    yield _("TikTok's ROAS"), fixed(ads.own_roas)


def _beside(found: Report) -> Iterator[tuple[Text, str]]:
    if found.unknown_object and found.query.by == "campaign":
        yield _("With a click on an ad whose campaign is unknown"), number(found.unknown_object)
    back = {code: value for code, value in found.totals.every.refunded.items() if value}
    if back:
        yield _("Refunded, already taken off"), " · ".join(money(back))
    if found.erased:
        yield _("Among them, conversions of people whose data was erased"), number(found.erased)
    yield _("Refused by visitors, for each pixel"), number(found.refused)
    yield _("Suppressed for another reason, for each pixel"), number(found.suppressed)


def _steps(found: Report) -> list[Text]:
    """Return what to do next, in this order, on a page without any figure."""
    settings = conf.current()
    steps: list[Text] = []
    if not settings.attribution.enabled:
        steps.append(_("Switch attribution on: set ATTRIBUTION to True in the settings, and ask visitors for consent."))
    if found.spend_until is None:
        steps.append(_("Import what the ads cost: a CSV file of Ads Manager by day, or the setting MARKETING_API."))
    steps.append(_("Tag the links of your ads, so that TikTok says which campaign a click belongs to."))
    steps.append(_("Look at another period: conversions appear when the worker has counted them."))
    return steps
