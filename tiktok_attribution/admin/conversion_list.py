"""The data of the list of conversions: its filters, one page of rows, and links to the pages beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils.http import urlencode
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from tiktok_attribution import conf
from tiktok_attribution.admin.attribution_page import (
    CLOCK_TITLES,
    CUSTOMER_TITLES,
    MODEL_TITLES,
    PERIOD_TITLES,
    TRAFFIC_TITLES,
    Filter,
    Link,
    Option,
)
from tiktok_attribution.admin.attribution_query import ALL, declared_events
from tiktok_attribution.admin.attribution_table import LEVEL_TITLES, UNKNOWN_TITLES, amount
from tiktok_attribution.admin.conversion_query import AFTER, BEFORE, TRAFFIC, AskedList
from tiktok_attribution.admin.event_page import ObjectLink, ObjectLinks
from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.admin.formatting import here, moment_text
from tiktok_attribution.attribution.conversion_search import WITHOUT, FoundPage, Place, search, touches_of
from tiktok_attribution.attribution.credit import LAST_TIKTOK
from tiktok_attribution.attribution.credited import CreditsOf
from tiktok_attribution.attribution.report import event_names
from tiktok_attribution.attribution.report_objects import NAMED
from tiktok_attribution.attribution.report_query import CLOCKS, CUSTOMERS, LEVELS, MODELS, PRESETS, ReportQuery
from tiktok_attribution.attribution.report_rows import Listed
from tiktok_attribution.attribution.report_sums import Rates, spend_rows
from tiktok_attribution.models import ConversionTouch, RecordedConversion, moment

PAGE_ROWS = 50
MOST_CAMPAIGNS = 100
"""Campaigns that the filter offers: those with the most conversions."""
NEW_TITLES: Mapping[bool | None, Text] = {
    True: pgettext_lazy("customer", "new"),
    False: pgettext_lazy("customer", "returning"),
    None: _("not known"),
}


@dataclass(slots=True, kw_only=True)
class ListLine:
    """A conversion in the list. `campaign` is that of the last TikTok click in the chosen window."""

    pk: int
    when: str
    event: str
    object: ObjectLink | None
    value: str
    refunded: str
    refunded_on: str
    is_reversed: bool
    customer: Text
    code: str
    campaign: str
    has_click: bool


@dataclass(slots=True, kw_only=True)
class ConversionList:
    """The data of the page, in its order. `looked_to` is where the search stopped before the page was full."""

    asked: AskedList
    periods: list[Link]
    filters: list[Filter]
    hidden: list[tuple[str, str]]
    inside: list[str]
    without_row: str
    lines: list[ListLine]
    newest: str = ""
    newer: str = ""
    older: str = ""
    looked_to: datetime | None = None
    is_off: bool = field(default_factory=lambda: not conf.current().attribution.enabled)


def conversion_list(asked: AskedList, *, using: str, shops: Iterable[str], links: ObjectLinks) -> ConversionList:
    """Answer the address: about eight statements, whatever the number of conversions."""
    found = search(asked.search, using=using, most=PAGE_ROWS, before=asked.before, after=asked.after)
    rows = RecordedConversion.objects.using(using).defer("lines").in_bulk(found.pks)
    shown = [rows[pk] for pk in found.pks if pk in rows]
    touches = touches_of([row.pk for row in shown], using)
    campaigns = _Campaigns(asked.search.query, using)
    page = ConversionList(
        asked=asked,
        periods=[
            Link(PERIOD_TITLES[key], _address(asked, "from", "to", period=key), key == asked.period) for key in PRESETS
        ],
        filters=list(_filters(asked, shops, campaigns, using)),
        hidden=[(name, asked.parameters[name]) for name in ("period", *_deep(asked)) if name in asked.parameters],
        inside=[
            f"{LEVEL_TITLES[level]}: {_title(campaigns, level, asked.parameters[level])}" for level in _deep(asked)
        ],
        without_row=_address(asked, *LEVELS),
        lines=[_line(row, touches[row.pk], asked.search.query.window, links) for row in shown],
        newest=_address(asked),
    )
    _link(page, found, [(row.at, row.pk) for row in shown])
    return page


def _address(asked: AskedList, *without: str, **changed: str) -> str:
    return urlencode({**{name: value for name, value in asked.parameters.items() if name not in without}, **changed})


def _link(page: ConversionList, found: FoundPage, places: list[Place]) -> None:
    """Set the links to the pages beside this one. The side that the reader came from has a page for certain."""
    asked = page.asked
    going_newer = asked.after is not None
    if found.looked_to is not None:
        page.looked_to = here(moment(found.looked_to[0]))
    far = found.looked_to or ((places[0] if going_newer else places[-1]) if places and found.has_more else None)
    near = (places[-1] if going_newer else places[0]) if places else asked.after or asked.before
    has_near = going_newer or asked.before is not None
    older, newer = (near if has_near else None, far) if going_newer else (far, near if has_near else None)
    if older is not None:
        page.older = _address(asked, **{BEFORE: f"{older[0]}-{older[1]}"})
    if newer is not None:
        page.newer = _address(asked, **{AFTER: f"{newer[0]}-{newer[1]}"})


def _deep(asked: AskedList) -> list[str]:
    """Return the levels of a row below a campaign. The form keeps them; a campaign alone is a choice of the form."""
    chosen = [level for level in LEVELS if level in asked.parameters]
    return [] if chosen == [LEVELS[0]] else chosen


def _title(campaigns: _Campaigns, level: str, key: str) -> Text:
    if level == LEVELS[0]:
        return campaigns.title(key)
    return key.removeprefix(NAMED) or UNKNOWN_TITLES[level]


class _Campaigns:
    """The campaigns of the period, by the keys of the report's rows."""

    def __init__(self, query: ReportQuery, using: str) -> None:
        spend = list(spend_rows(query, using))
        listed = Listed(replace(query, by="campaign", campaign=None, adgroup=None), using, Rates(spend))
        listed.learn(spend)
        rows = [row for row in listed.rows(with_windows=False) if row.figures.conversions]
        rows.sort(key=lambda row: (-row.figures.conversions, row.name.casefold(), row.id))
        self.titles: dict[str, Text] = {
            row.key: row.name or row.id or UNKNOWN_TITLES["campaign"] for row in rows[:MOST_CAMPAIGNS]
        }

    def title(self, key: str) -> Text:
        return self.titles.get(key) or key.removeprefix(NAMED) or UNKNOWN_TITLES["campaign"]


def _filters(asked: AskedList, shops: Iterable[str], campaigns: _Campaigns, using: str) -> Iterator[Filter]:
    query = asked.search.query
    names = {*event_names(query.first, query.last, using=using), *declared_events()}
    events = sorted({*names, *([query.name] if query.name else [])})
    windows = [(str(days), gettext("%(days)d days") % {"days": days}) for days in conf.current().attribution.windows]
    choices: list[tuple[str, Text, str, list[tuple[str, Text]]]] = [
        ("event", _("Event"), query.name or ALL, [(ALL, _("All events")), *((name, name) for name in events)]),
        (
            TRAFFIC,
            _("Brought by"),
            asked.search.traffic,
            [("", _("All conversions")), *((key or WITHOUT, title) for key, title in TRAFFIC_TITLES.items())],
        ),
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
    if not _deep(asked):
        key = asked.parameters.get(LEVELS[0])
        known = {**({} if key is None else {key: campaigns.title(key)}), **campaigns.titles}
        options = [(ALL, _("All campaigns")), *known.items()]
        choices.append((LEVELS[0], LEVEL_TITLES[LEVELS[0]], ALL if key is None else key, options))
    pixels = list(shops)
    if len(pixels) > 1:
        choices.append(("pixel", _("Pixel"), query.shop, [("", _("All pixels")), *((code, code) for code in pixels)]))
    for name, title, chosen, options in choices:
        yield Filter(name, title, [Option(value, text, value == chosen) for value, text in options])


def _line(row: RecordedConversion, touches: list[ConversionTouch], window: int, links: ObjectLinks) -> ListLine:
    click = next((one.touch for one in CreditsOf(row, touches).by(LAST_TIKTOK, window)), None)
    return ListLine(
        pk=row.pk,
        when=moment_text(moment(row.at)),
        event=row.name,
        object=links.of(row),
        value="" if row.value is None else amount(row.value, row.currency),
        refunded=amount(row.refunded, row.currency) if row.refunded else "",
        refunded_on="" if row.refunded_at is None else moment_text(moment(row.refunded_at)),
        is_reversed=row.is_reversed,
        customer=NEW_TITLES[row.is_new],
        code=row.code,
        campaign="" if click is None else click.campaign_name or click.campaign_id,
        has_click=click is not None,
    )
