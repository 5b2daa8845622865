"""What the stand-in's Marketing API answers and refuses, for accounts that are given: reports, pixels, counts.

Names of parameters are those of TikTok's SDK. Each refusal is a RefusedError.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

from tiktok_attribution.testing.faults import OURS, Answer, RefusedError

PARAMETERS = frozenset(
    {
        *("page", "page_size", "enable_total_metrics", "multi_adv_report_in_utc_time", "query_mode", "advertiser_id"),
        *("advertiser_ids", "bc_id", "service_type", "report_type", "data_level", "dimensions", "metrics"),
        *("start_date", "end_date", "query_lifetime", "order_field", "order_type", "filtering"),
    }
)
MOST_DAYS, MOST_PAGE_SIZE, DEFAULT_PAGE_SIZE = 30, 1000, 10
MOST_PIXEL_PAGE, MOST_PIXELS = 20, 10
LEVELS = {
    "AUCTION_CAMPAIGN": ("campaign_id", "campaign_status"),
    "AUCTION_ADGROUP": ("adgroup_id", "adgroup_status"),
    "AUCTION_AD": ("ad_id", "ad_status"),
}
ATTRIBUTES = ("campaign_id", "campaign_name", "adgroup_id", "adgroup_name", "ad_id", "ad_name", "currency")
FIGURES = (
    *("spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate", "form", "user_registration"),
    *("web_event_add_to_cart", "initiate_checkout", "on_web_subscribe", "total_landing_page_view", "conversion"),
    *("real_time_conversion", "cta_conversion", "vta_conversion", "engaged_view_through_conversions"),
    *("purchase", "total_purchase"),
)
METRICS = frozenset({*ATTRIBUTES, *FIGURES, "complete_payment_roas"})
NO_PERMISSION = "The access token has no permission for advertiser {advertiser}."
TOKEN_REFUSED = "Access token is incorrect or has been revoked."


@dataclass(kw_only=True, slots=True)
class Ad:
    """An ad with what it belongs to. `deleted` ads are left out of reports that don't ask for them."""

    ad_id: str
    adgroup_id: str
    campaign_id: str
    ad_name: str = ""
    adgroup_name: str = ""
    campaign_name: str = ""
    deleted: bool = False
    days: dict[date, dict[str, Decimal]] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Account:
    """An advertiser account and its ads by id."""

    advertiser_id: str
    token: str
    time_zone: str
    currency: str
    ads: dict[str, Ad] = field(default_factory=dict)
    pixels: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[tuple[str, str], dict[date, tuple[int, int]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Account({self.advertiser_id!r})"


def report(account: Account, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a report of one account, or refuse."""
    if parameters.get("report_type") != "BASIC":
        refuse("report_type: only BASIC is served")
    level = LEVELS.get(parameters.get("data_level", ""))
    if level is None:
        refuse("data_level: must be one of " + ", ".join(LEVELS))
    dimension, status = level
    if sorted(texts(parameters, "dimensions")) != sorted((dimension, "stat_time_day")):
        refuse(f"dimensions: must be {dimension} and stat_time_day")
    metrics = texts(parameters, "metrics")
    unknown = sorted(set(metrics) - METRICS)
    if unknown:
        refuse(f"metrics: {unknown[0]} is not supported")
    first, last = _day(parameters, "start_date"), _day(parameters, "end_date")
    if not 0 <= (last - first).days < MOST_DAYS:
        refuse(f"start_date and end_date: at most {MOST_DAYS} days with stat_time_day")
    rows = _rows(account, dimension, metrics, (first, last), with_deleted=_asks_for_deleted(parameters, status))
    return _page("list", rows, parameters, default=DEFAULT_PAGE_SIZE, most=MOST_PAGE_SIZE)


def pixels(account: Account, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the pixels of an account."""
    wanted = parameters.get("code", "")
    found = [one for one in account.pixels.values() if wanted in ("", one["pixel_code"])]
    return _page("pixels", found, parameters, default=10, most=MOST_PIXEL_PAGE)


def _page(name: str, found: Sequence[Any], parameters: Mapping[str, str], *, default: int, most: int) -> dict[str, Any]:
    size, page = _number(parameters, "page_size", default, most), _number(parameters, "page", 1, 10**6)
    info = {"page": page, "page_size": size, "total_page": math.ceil(len(found) / size), "total_number": len(found)}
    return {name: found[(page - 1) * size : page * size], "page_info": info}


def counts(account: Account, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return how many events of the pixels were counted in the period."""
    pixel_ids = texts(parameters, "pixel_ids")
    if not 1 <= len(pixel_ids) <= MOST_PIXELS:
        refuse(f"pixel_ids: from 1 to {MOST_PIXELS}")
    if not set(pixel_ids) <= set(account.pixels):
        refuse(NO_PERMISSION.format(advertiser=account.advertiser_id), code=40001)
    try:
        period = json.loads(parameters.get("date_range", ""))
    except (ValueError, RecursionError):
        period = None
    if not isinstance(period, dict):
        refuse("date_range: must be a JSON object")
    first, last = _day(period, "start_date"), _day(period, "end_date")
    if not 0 <= (last - first).days < MOST_DAYS:
        refuse(f"date_range: at most {MOST_DAYS} days")
    rows = []
    for (pixel_id, event), days in account.counts.items():
        within = [counts for day, counts in days.items() if first <= day <= last]
        if pixel_id in pixel_ids and within:
            total, attributed = (sum(one) for one in zip(*within, strict=True))
            row = {"pixel_id": pixel_id, "event_type": event, "total_count": total, "attributed_count": attributed}
            rows.append(row)
    return {"list": rows}


def _rows(
    account: Account, dimension: str, metrics: Sequence[str], period: tuple[date, date], *, with_deleted: bool
) -> list[dict[str, Any]]:
    sums: dict[tuple[date, str], tuple[Ad, dict[str, Decimal]]] = {}
    for ad in account.ads.values():
        for day, figures in ad.days.items():
            if period[0] <= day <= period[1] and (with_deleted or not ad.deleted):
                _first, total = sums.setdefault((day, getattr(ad, dimension)), (ad, {}))
                for name, one in figures.items():
                    total[name] = total.get(name, Decimal(0)) + one
    return [
        {
            "dimensions": {dimension: key, "stat_time_day": f"{day.isoformat()} 00:00:00"},
            "metrics": {name: _metric(name, account, ad, total) for name in metrics},
        }
        for (day, key), (ad, total) in sorted(sums.items(), key=lambda pair: pair[0])
    ]


def _metric(name: str, account: Account, ad: Ad, total: Mapping[str, Decimal]) -> str:
    if name == "currency":
        return account.currency
    if name in ATTRIBUTES:
        return str(getattr(ad, name)) or "-"
    if name == "complete_payment_roas":
        value, spend = total.get("total_complete_payment_rate"), total.get("spend")
        return f"{value / spend:.2f}" if value is not None and spend else "-"
    return str(total[name]) if name in total else "-"


def _asks_for_deleted(parameters: Mapping[str, str], status: str) -> bool:
    for one in listed(parameters, "filtering"):
        if not isinstance(one, dict) or set(one) != {"field_name", "filter_type", "filter_value"}:
            refuse("filtering: field_name, filter_type and filter_value are required")
        if one["field_name"] == status and one["filter_type"] == "IN" and "STATUS_ALL" in str(one["filter_value"]):
            return True
    return False


def info(account: Account) -> dict[str, str]:
    """Return what `advertiser/info/` says of an account."""
    return {
        "advertiser_id": account.advertiser_id,
        "timezone": account.time_zone,
        "display_timezone": account.time_zone,
        "currency": account.currency,
    }


def listed(parameters: Mapping[str, str], name: str) -> list[Any]:
    """Read a parameter that is a JSON list."""
    try:
        found = json.loads(parameters.get(name, "[]"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        refuse(f"{name}: must be a JSON list")
    return found


def texts(parameters: Mapping[str, str], name: str) -> list[str]:
    """Read a parameter that is a JSON list of texts."""
    found = listed(parameters, name)
    if not all(isinstance(one, str) for one in found):
        refuse(f"{name}: must hold texts")
    return found


def _day(parameters: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(parameters.get(name, ""))
    except (TypeError, ValueError):
        refuse(f"{name}: must be YYYY-MM-DD")


def _number(parameters: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
        refuse(f"{name}: must be from 1 to {most}")
    return int(text)


def enveloped(data: Mapping[str, Any]) -> Answer:
    """Return an answer with data, in the form of TikTok's answers."""
    return Answer(body=json.dumps({"code": 0, "message": "OK", "request_id": "STANDIN", "data": data}).encode())


def refuse(message: str, *, code: int = 40002) -> NoReturn:
    """Refuse the request; 40002 is in our own words."""
    raise RefusedError(Answer(code=code, message=message if code != 40002 else OURS + message))
