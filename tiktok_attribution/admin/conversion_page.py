"""The data of a conversion's page: its touches in order, the credit of each by all models, and what it is made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

from django.contrib.admin import AdminSite
from django.db import router
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution import conf
from tiktok_attribution.admin import formatting
from tiktok_attribution.admin.attribution_page import MODEL_TITLES, Link
from tiktok_attribution.admin.attribution_table import amount, percent
from tiktok_attribution.admin.conversion_list import NEW_TITLES
from tiktok_attribution.admin.event_page import ObjectLink, ObjectLinks
from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.admin.filters import pixels
from tiktok_attribution.admin.formatting import before_text, moment_text
from tiktok_attribution.attribution.credit import MODELS
from tiktok_attribution.attribution.days import day_of, zone_of
from tiktok_attribution.attribution.links import OF_ANOTHER, TOO_MANY
from tiktok_attribution.attribution.report_objects import NAMED
from tiktok_attribution.attribution.result import AttributedConversion, AttributedTouch, TouchCredit, attributed
from tiktok_attribution.models import OutboxEvent, RecordedConversion, Traffic, events_with, moment

MOST_TOUCHES = 100
"""Touches that the page lists: the last ones."""
ALL_MODEL_TITLES: Mapping[str, Text] = {
    **MODEL_TITLES,
    "position": _("By position"),
    "time_decay": _("Time decay"),
}
_TRAFFIC: Mapping[str, Text] = dict(Traffic.choices)
UNJOINED: Mapping[str, Text] = {
    OF_ANOTHER: _("This browser belongs to another person, so its touches were not used."),
    TOO_MANY: _("This person used more than 20 browsers, as a shared account does. So other devices were not joined."),
}


class TouchLine(NamedTuple):
    """A touch, with its number on the page. `report` is the address of its campaign in the report, "" without one."""

    number: int
    when: str
    before: str
    traffic: Text
    campaign: str
    adgroup: str
    ad: str
    placement: str
    landing_path: str
    report: str


class EventLine(NamedTuple):
    """An event of the conversion in the outbox: one for each pixel."""

    name: str
    pixel_code: str
    badge: SafeString
    address: str


class CreditLine(NamedTuple):
    """A row of a table of credits: its title, and the texts of each cell."""

    title: Text
    cells: list[list[str]]


@dataclass(slots=True, kw_only=True)
class ConversionPage:
    """The data of the page, in its order."""

    row: RecordedConversion
    object: ObjectLink | None
    when: str
    placed: str
    value: str
    net_value: str
    refunded: str
    customer: Text
    unjoined: Text
    touches: list[TouchLine]
    left_out: int
    window: int
    windows: list[Link]
    models: list[Text]
    credits: list[CreditLine]
    all_windows: list[CreditLine]
    lines: list[tuple[str, str, str]]
    events: list[EventLine]


def conversion_page(row: RecordedConversion, *, window: int, site: AdminSite, request: HttpRequest) -> ConversionPage:
    """Arrange a conversion for its page. `window` (days) is one of the settings'."""
    told = attributed(row)
    numbers = {id(touch): number for number, touch in enumerate(told.touches, start=1)}
    windows = conf.current().attribution.windows
    shown = told.touches[-MOST_TOUCHES:]
    return ConversionPage(
        row=row,
        object=ObjectLinks(site, request).of(row),
        when=moment_text(told.at),
        placed="" if row.placed_at is None else moment_text(moment(row.placed_at)),
        value="" if row.value is None else amount(row.value, row.currency),
        net_value=amount(told.net_value, row.currency),
        refunded=_refund_text(row),
        customer=NEW_TITLES[row.is_new],
        unjoined=UNJOINED.get(row.unjoined, row.unjoined),
        touches=[_touch(touch, numbers[id(touch)], row, site) for touch in shown],
        left_out=len(told.touches) - len(shown),
        window=window,
        windows=[Link(_days(one), urlencode({"window": one}), one == window) for one in windows],
        models=[ALL_MODEL_TITLES[model] for model in MODELS],
        credits=_credits(told, window, shown, numbers),
        all_windows=[
            CreditLine(ALL_MODEL_TITLES[model], [_owners(told.credits[one][model], numbers) for one in windows])
            for model in MODELS
        ],
        lines=_lines(row),
        events=_events(row, site, request),
    )


def _refund_text(row: RecordedConversion) -> str:
    """Return what was refunded and when, "" if nothing was."""
    if not row.refunded:
        return ""
    text = amount(row.refunded, row.currency)
    if row.refunded_at is None:
        return text
    return gettext("%(amount)s on %(date)s") % {"amount": text, "date": moment_text(moment(row.refunded_at))}


def _days(window: int) -> str:
    return ngettext("%(days)d day", "%(days)d days", window) % {"days": window}


def _touch(touch: AttributedTouch, number: int, row: RecordedConversion, site: AdminSite) -> TouchLine:
    return TouchLine(
        number=number,
        when=moment_text(touch.at),
        before=before_text(touch.seconds_before),
        traffic=_TRAFFIC.get(touch.traffic, touch.traffic),
        campaign=touch.campaign_name or touch.campaign_id,
        adgroup=touch.adgroup_name or touch.adgroup_id,
        ad=touch.ad_name or touch.ad_id,
        placement=touch.placement,
        landing_path=touch.landing_path,
        report=_report_of(touch, row, site),
    )


def _report_of(touch: AttributedTouch, row: RecordedConversion, site: AdminSite) -> str:
    """Return the report of the campaign, of the conversion's own day; "" if the touch has none."""
    key = touch.campaign_id or (NAMED + touch.campaign_name.casefold() if touch.campaign_name else "")
    if touch.traffic != Traffic.PAID or not key:
        return ""
    day: date = day_of(row.at, zone_of(row.shop))
    parameters = {"from": str(day), "to": str(day), "event": row.name, "by": "adgroup", "campaign": key}
    return _linked("attributionreport", site, parameters)


def _linked(page: str, site: AdminSite, parameters: Mapping[str, str]) -> str:
    try:
        address = reverse(f"admin:tiktok_attribution_{page}_changelist", current_app=site.name)
    except NoReverseMatch:
        return ""
    return f"{address}?{urlencode(parameters)}"


def _credits(
    told: AttributedConversion, window: int, touches: Iterable[AttributedTouch], numbers: Mapping[int, int]
) -> list[CreditLine]:
    """Return the share and the money of each touch by each model; [] if no touch is in the window."""
    models = told.credits[window]
    by_touch = {model: {id(one.touch): one for one in found} for model, found in models.items()}
    lines = []
    for touch in touches:
        found = [by_touch[model].get(id(touch)) for model in MODELS]
        if any(found):
            cells = [[] if one is None else [_share(one.share), amount(one.value, told.currency)] for one in found]
            lines.append(CreditLine(_numbered(numbers[id(touch)], touch), cells))
    return lines


def _numbered(number: int, touch: AttributedTouch) -> str:
    name = touch.campaign_name or touch.campaign_id or touch.utm_source or _TRAFFIC.get(touch.traffic, "")
    return f"{number}. {name}"


def _owners(found: Iterable[TouchCredit], numbers: Mapping[int, int]) -> list[str]:
    return [
        gettext("touch %(number)d: %(share)s") % {"number": numbers[id(one.touch)], "share": _share(one.share)}
        for one in found
    ]


def _share(share: Fraction) -> str:
    exact = Decimal(share.numerator) / Decimal(share.denominator)
    return percent(exact, 0 if exact * 100 == (exact * 100).to_integral_value() else 1)


def _lines(row: RecordedConversion) -> list[tuple[str, str, str]]:
    """Return content id, quantity and price of each line."""
    found = []
    for content_id, quantity, price in json.loads(row.lines):
        try:
            text = "" if price is None else amount(Decimal(str(price)), row.currency)
        except InvalidOperation:
            text = str(price)
        found.append((str(content_id), str(quantity), text))
    return found


def _events(row: RecordedConversion, site: AdminSite, request: HttpRequest) -> list[EventLine]:
    """Return the conversion's events of every pixel, for who may see events."""
    if not request.user.has_perm("tiktok_attribution.view_outboxevent"):
        return []
    codes = dict.fromkeys([row.shop, *pixels()])
    events = OutboxEvent.objects.using(router.db_for_read(OutboxEvent))
    events = events.filter(events_with((code, row.name, row.event_id) for code in codes)).select_related(None)
    found = []
    for event in events.defer("payload", "attempt_log").order_by("pk")[:20]:
        try:
            route = "admin:tiktok_attribution_outboxevent_change"
            address = reverse(route, args=[event.pk], current_app=site.name)
        except NoReverseMatch:
            address = ""
        found.append(EventLine(event.name, event.pixel_code, formatting.state_badge(event), address))
    return found
