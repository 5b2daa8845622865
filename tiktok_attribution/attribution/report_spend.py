"""TikTok's spend and own figures for the report, read from `AdSpend`.

`spend_of` gives the rows of a shop that count, `own_figures` what TikTok itself counted for an event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from tiktok_attribution import conf
from tiktok_attribution.attribution.days import shop_pixels
from tiktok_attribution.attribution.spend import effective_spend


class SpendRow(NamedTuple):
    """The columns of a row of spend that the report reads, by the names of the model's fields."""

    advertiser: str
    day: date
    campaign_id: str
    campaign_name: str
    adgroup_id: str
    adgroup_name: str
    ad_id: str
    ad_name: str
    currency: str
    spend: Decimal
    impressions: int | None
    clicks: int | None
    figures: str


def spend_of(first: date, last: date, shop: str, *, using: str) -> Iterator[SpendRow]:
    """Yield the spend of a shop that counts, by day. "" means all shops."""
    rows = effective_spend(first, last).using(using).order_by("day", "pk").values_list(*SpendRow._fields)
    for row in rows.iterator(chunk_size=2000):
        if is_of_shop(shop, row[0]):
            yield SpendRow(*row)


def is_of_shop(shop: str, advertiser: str) -> bool:
    """Return whether an advertiser's spend belongs to a shop: its pixels in MARKETING_API say so.

    Spend of an advertiser without pixels in the settings belongs to every shop, so that none of it goes missing.
    """
    known = conf.current().marketing_api.get(advertiser)
    return not shop or known is None or not known.pixels or any(one in known.pixels for one in shop_pixels(shop))


METRICS: Mapping[str, str] = {
    "Purchase": "complete_payment",
    "CompletePayment": "complete_payment",
    "Lead": "form",
    "SubmitForm": "form",
    "CompleteRegistration": "user_registration",
    "AddToCart": "web_event_add_to_cart",
    "InitiateCheckout": "initiate_checkout",
    "Subscribe": "on_web_subscribe",
}
"""TikTok's metric of its reports for each event of a website. `complete_payment` is the website's purchases; metrics
named `purchase` are those of apps."""
VALUE = "total_complete_payment_rate"
"""The value of the website's purchases, in spite of its name."""
VIEW_METRICS = (("vta_conversion",), ("evta_conversion", "engaged_view_through_conversions"))
"""Conversions after a view, and after a view of six seconds; each by the names that are known for it."""


class OwnFigures(NamedTuple):
    """What TikTok counted in one row of spend for one event; None where it does not say."""

    conversions: Decimal | None
    value: Decimal | None
    views: Decimal | None


def own_figures(text: str, name: str) -> OwnFigures:
    """Read `AdSpend.figures`: conversions of this event, their value, and how many of them came after a view alone."""
    metric = METRICS.get(name)
    figures = _figures(text)
    if metric is None or not figures:
        return OwnFigures(None, None, None)
    conversions = _number(figures.get(metric))
    value = _number(figures.get(VALUE)) if metric == "complete_payment" else None
    return OwnFigures(conversions, value, _views(figures, metric, conversions))


def _views(figures: Mapping[str, object], metric: str, conversions: Decimal | None) -> Decimal | None:
    own = [found for kind in ("vta_", "evta_") if (found := _number(figures.get(kind + metric))) is not None]
    if own:
        return sum(own, Decimal(0))
    # `conversion` counts the event that the ad group optimizes for. Where it is the same number as this event's, its
    # views are taken for this event's; elsewhere they may belong to another event.
    if conversions is None or _number(figures.get("conversion")) != conversions:
        return None
    total: Decimal | None = None
    for names in VIEW_METRICS:
        for name in names:
            if (number := _number(figures.get(name))) is not None:
                total = number if total is None else total + number
                break  # the other names stand for the same number
    return total


def _figures(text: str) -> Mapping[str, object]:
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _number(text: object) -> Decimal | None:
    """Read a metric, which is a text. "-" stands where one does not apply."""
    return _read(text) if isinstance(text, str) and text != "-" else None


@lru_cache(maxsize=4096)  # most are small numbers
def _read(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
