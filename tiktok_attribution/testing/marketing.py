"""The Marketing API of the stand-in: accounts, ads with their spend, reports, tokens, and what TikTok refuses.

It serves `report/integrated/get/`, `advertiser/info/`, `pixel/list/`, `pixel/event/stats/` and `oauth2/access_token/`.
Names of parameters are those of
TikTok's SDK; where nothing is known it says so in `guesses`.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from tiktok_attribution.testing.faults import OURS, Answer, RefusedError

PREFIX = "/open_api/v1.3/"
REPORT, INFO, TOKEN = "report/integrated/get/", "advertiser/info/", "oauth2/access_token/"
PIXELS, PIXEL_STATS = "pixel/list/", "pixel/event/stats/"
SERVED = (REPORT, INFO, PIXELS, PIXEL_STATS)
"""By GET."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketingRequest:
    """A request that arrived: the path after the version, and its parameters."""

    path: str
    parameters: Mapping[str, str]


class Marketing:
    """What the stand-in's Marketing API knows. Change it while it runs: a figure that is set again is a late change."""

    def __init__(self) -> None:
        self.requests: list[MarketingRequest] = []
        self._accounts: dict[str, Account] = {}
        self._granted: dict[tuple[str, str, str], tuple[str, Sequence[str]]] = {}
        self._failing: list[Answer] = []
        self._lock = threading.Lock()

    def add_account(
        self, advertiser_id: str, token: str, *, time_zone: str = "Europe/Berlin", currency: str = "EUR"
    ) -> Account:
        """Add an account that this token may read."""
        account = Account(advertiser_id=advertiser_id, token=token, time_zone=time_zone, currency=currency)
        with self._lock:
            self._accounts[advertiser_id] = account
        return account

    def set_day(self, advertiser_id: str, ad: Ad, day: date, **figures: object) -> None:
        """Set the figures of an ad on a day: `spend`, `impressions` … as TikTok names its metrics."""
        unknown = sorted(set(figures) - set(FIGURES))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no figure of a report")
        with self._lock:
            ads = self._accounts[advertiser_id].ads
            days = ads[ad.ad_id].days if ad.ad_id in ads else {}
            ads[ad.ad_id] = replace(ad, days=days)  # renamed or deleted by now, perhaps
            days[day] = {name: Decimal(str(one)) for name, one in figures.items()}

    def add_pixel(self, advertiser_id: str, pixel_id: str, code: str, **values: object) -> None:
        """Add a pixel to an account; `values` are `pixel_setup_mode`, `events` … as `pixel/list/` names them."""
        setup = {
            "pixel_id": pixel_id,
            "pixel_code": code,
            "pixel_setup_mode": "DEVELOPER",
            "advanced_matching_fields": {"email": True, "phone_number": True},
            "enable_first_party_cookies": True,
            "events": [],
            **values,
        }
        with self._lock:
            self._accounts[advertiser_id].pixels[pixel_id] = setup

    def set_count(
        self, advertiser_id: str, pixel_id: str, event: str, day: date, *, total: int, attributed: int = 0
    ) -> None:
        """Set how many events of a name TikTok counted on a day (of UTC)."""
        with self._lock:
            self._accounts[advertiser_id].counts.setdefault((pixel_id, event), {})[day] = total, attributed

    def grant(self, app_id: str, secret: str, code: str, *, token: str, advertiser_ids: Sequence[str]) -> None:
        """Give this token once for this authorization code."""
        with self._lock:
            self._granted[app_id, secret, code] = token, advertiser_ids

    def fail(self, code: int, message: str = OURS + "as asked", *, times: int = 1, http_status: int = 200) -> None:
        """Answer the next requests with this code."""
        with self._lock:
            self._failing += [Answer(code=code, message=message, http_status=http_status)] * times

    def reset(self) -> None:
        """Forget accounts, tokens, failures and requests."""
        with self._lock:
            self.requests.clear()
            self._accounts.clear()
            self._granted.clear()
            self._failing.clear()

    def configure(self, order: object) -> None:
        """Take accounts and figures from JSON: `{"accounts": [{…}], "days": [{advertiser_id, day, ad: {…}, …}]}`.

        Raises ValueError with the reason.
        """
        if not isinstance(order, dict) or not set(order) <= {"accounts", "days"}:
            raise ValueError("an object with accounts and days is expected")
        try:
            for one in order.get("accounts", []):
                self.add_account(**one)
            for one in order.get("days", []):
                given = dict(one)
                advertiser_id, day, ad = given.pop("advertiser_id"), given.pop("day"), Ad(**given.pop("ad"))
                self.set_day(advertiser_id, ad, date.fromisoformat(day), **given)
        except (TypeError, KeyError, InvalidOperation) as error:
            raise ValueError(f"it can't be read: {type(error).__name__} {error}") from None

    # Requests ---------------------------------------------------------------------------------------------------------

    def get(self, path: str, query: str, token: str | None) -> Answer:
        """Answer a GET; `path` is what follows PREFIX."""
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        return self._answered(path, parameters, lambda: self._got(path, parameters, token))

    def post(self, path: str, raw: bytes) -> Answer:
        """Answer a POST."""
        return self._answered(path, {}, lambda: self._exchanged(path, raw))

    def _answered(self, path: str, parameters: Mapping[str, str], act: Any) -> Answer:
        with self._lock:
            self.requests.append(MarketingRequest(path=path, parameters=parameters))
            if self._failing:
                return self._failing.pop(0)
            try:
                return _enveloped(act())
            except RefusedError as refused:
                return refused.answer

    def _got(self, path: str, parameters: Mapping[str, str], token: str | None) -> dict[str, Any]:
        if path == INFO:
            return {"list": [_info(one) for one in self._allowed(_listed(parameters, "advertiser_ids"), token)]}
        if path in (PIXELS, PIXEL_STATS):
            (account,) = self._allowed([parameters.get("advertiser_id", "")], token)
            return _pixels(account, parameters) if path == PIXELS else _counts(account, parameters)
        unknown = sorted(set(parameters) - PARAMETERS)
        if unknown:
            _refuse(f"{unknown[0]}: unknown parameter")
        (account,) = self._allowed([parameters.get("advertiser_id", "")], token)
        return _report(account, parameters)

    def _allowed(self, advertiser_ids: Sequence[str], token: str | None) -> list[Account]:
        if not token:
            _refuse("Access token is empty.", code=40104)
        if not any(account.token == token for account in self._accounts.values()):
            _refuse(TOKEN_REFUSED, code=40105)
        found = [self._accounts.get(one) for one in advertiser_ids]
        allowed = [one for one in found if one is not None and one.token == token]
        if len(allowed) != len(advertiser_ids) or not allowed:
            _refuse(NO_PERMISSION.format(advertiser=", ".join(advertiser_ids)), code=40001)
        return allowed

    def _exchanged(self, path: str, raw: bytes) -> dict[str, Any]:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        names = ("app_id", "secret", "auth_code")
        if not isinstance(body, dict) or set(body) != set(names) or not all(isinstance(body[n], str) for n in names):
            _refuse("app_id, secret and auth_code are required texts")
        found = self._granted.pop((body["app_id"], body["secret"], body["auth_code"]), None)
        if found is None:
            _refuse("Auth_code is used or expired.", code=40110)
        token, advertiser_ids = found
        return {"access_token": token, "advertiser_ids": list(advertiser_ids), "scope": [4]}


def _report(account: Account, parameters: Mapping[str, str]) -> dict[str, Any]:
    if parameters.get("report_type") != "BASIC":
        _refuse("report_type: only BASIC is served")
    level = LEVELS.get(parameters.get("data_level", ""))
    if level is None:
        _refuse("data_level: must be one of " + ", ".join(LEVELS))
    dimension, status = level
    if sorted(_listed(parameters, "dimensions")) != sorted((dimension, "stat_time_day")):
        _refuse(f"dimensions: must be {dimension} and stat_time_day")
    metrics = _listed(parameters, "metrics")
    unknown = sorted(set(metrics) - METRICS)
    if unknown:
        _refuse(f"metrics: {unknown[0]} is not supported")
    first, last = _day(parameters, "start_date"), _day(parameters, "end_date")
    if not 0 <= (last - first).days < MOST_DAYS:
        _refuse(f"start_date and end_date: at most {MOST_DAYS} days with stat_time_day")
    rows = _rows(account, dimension, metrics, (first, last), with_deleted=_asks_for_deleted(parameters, status))
    return _page("list", rows, parameters, default=DEFAULT_PAGE_SIZE, most=MOST_PAGE_SIZE)


def _pixels(account: Account, parameters: Mapping[str, str]) -> dict[str, Any]:
    wanted = parameters.get("code", "")
    found = [one for one in account.pixels.values() if wanted in ("", one["pixel_code"])]
    return _page("pixels", found, parameters, default=10, most=MOST_PIXEL_PAGE)


def _page(name: str, found: Sequence[Any], parameters: Mapping[str, str], *, default: int, most: int) -> dict[str, Any]:
    size, page = _number(parameters, "page_size", default, most), _number(parameters, "page", 1, 10**6)
    info = {"page": page, "page_size": size, "total_page": math.ceil(len(found) / size), "total_number": len(found)}
    return {name: found[(page - 1) * size : page * size], "page_info": info}


def _counts(account: Account, parameters: Mapping[str, str]) -> dict[str, Any]:
    pixel_ids = _listed(parameters, "pixel_ids")
    if not 1 <= len(pixel_ids) <= MOST_PIXELS:
        _refuse(f"pixel_ids: from 1 to {MOST_PIXELS}")
    if not set(pixel_ids) <= set(account.pixels):
        _refuse(NO_PERMISSION.format(advertiser=account.advertiser_id), code=40001)
    try:
        period = json.loads(parameters.get("date_range", ""))
    except ValueError:
        period = None
    if not isinstance(period, dict):
        _refuse("date_range: must be a JSON object")
    first, last = _day(period, "start_date"), _day(period, "end_date")
    if not 0 <= (last - first).days < MOST_DAYS:
        _refuse(f"date_range: at most {MOST_DAYS} days")
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
    for one in _listed(parameters, "filtering"):
        if not isinstance(one, dict) or set(one) != {"field_name", "filter_type", "filter_value"}:
            _refuse("filtering: field_name, filter_type and filter_value are required")
        if one["field_name"] == status and one["filter_type"] == "IN" and "STATUS_ALL" in str(one["filter_value"]):
            return True
    return False


def _info(account: Account) -> dict[str, str]:
    return {
        "advertiser_id": account.advertiser_id,
        "timezone": account.time_zone,
        "display_timezone": account.time_zone,
        "currency": account.currency,
    }


def _listed(parameters: Mapping[str, str], name: str) -> list[Any]:
    try:
        found = json.loads(parameters.get(name, "[]"))
    except ValueError:
        found = None
    if not isinstance(found, list):
        _refuse(f"{name}: must be a JSON list")
    return found


def _day(parameters: Mapping[str, str], name: str) -> date:
    try:
        return date.fromisoformat(parameters.get(name, ""))
    except ValueError:
        _refuse(f"{name}: must be YYYY-MM-DD")


def _number(parameters: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= most:
        _refuse(f"{name}: must be from 1 to {most}")
    return int(text)


def _enveloped(data: Mapping[str, Any]) -> Answer:
    return Answer(body=json.dumps({"code": 0, "message": "OK", "request_id": "STANDIN", "data": data}).encode())


def _refuse(message: str, *, code: int = 40002) -> NoReturn:
    raise RefusedError(Answer(code=code, message=message if code != 40002 else OURS + message))
