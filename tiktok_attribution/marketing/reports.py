"""Fetch TikTok's daily report of one advertiser and level, page by page, and the advertiser's time zone and currency.

Names and limits are those of TikTok's SDK and reference (`GET report/integrated/get/`, `GET advertiser/info/`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.exceptions import TikTokAttributionError
from tiktok_attribution.marketing.client import ADVERTISER_INFO, REPORT, Answer, Fate, MarketingClient

DAYS_A_CALL = 30
PAGE_SIZE = 1000
MOST_PAGES = 500
TRIES = 3
PAUSES = (1.0, 5.0)
"""Seconds before the second and the third try."""

LEVELS: Mapping[str, tuple[str, str, str]] = {
    "campaign": ("AUCTION_CAMPAIGN", "campaign_id", "campaign_status"),
    "adgroup": ("AUCTION_ADGROUP", "adgroup_id", "adgroup_status"),
    "ad": ("AUCTION_AD", "ad_id", "ad_status"),
}
"""By level: `data_level`, the dimension, and the field whose filter also brings deleted objects."""

METRICS = (
    *("spend", "currency", "impressions", "clicks"),
    *("complete_payment", "total_complete_payment_rate", "complete_payment_roas", "form", "user_registration"),
    *("web_event_add_to_cart", "initiate_checkout", "on_web_subscribe", "total_landing_page_view", "conversion"),
    *("real_time_conversion", "cta_conversion", "vta_conversion", "engaged_view_through_conversions"),
)
"""Not `purchase` (of apps), `onsite_…` (of TikTok Shop): a connector that asked for those read 0 where shops sold."""

_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "campaign": ("campaign_name",),
    "adgroup": ("adgroup_name", "campaign_name", "campaign_id"),
    "ad": ("ad_name", "adgroup_name", "adgroup_id", "campaign_name", "campaign_id"),
}
"""Names, and the ids of what is above: a report has one dimension besides the day."""


class FetchFailed(TikTokAttributionError):
    """A report did not come whole. `fate` says what to do; the message is for a person and holds no token."""

    def __init__(self, fate: Fate, message: str) -> None:
        super().__init__(message)
        self.fate = fate


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRow:
    """One object on one day, as TikTok wrote it: ids of `dimensions`, texts of `metrics`."""

    day: str
    object_id: str
    metrics: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountInfo:
    """Time zone and currency of an account; None and "" where TikTok's answer has none that can be read."""

    time_zone: ZoneInfo | timezone | None = None
    zone_name: str = ""
    currency: str = ""


@errors_without_values
def fetch_report(
    client: MarketingClient,
    token: str,
    advertiser_id: str,
    level: str,
    period: tuple[date, date],
    *,
    wait: Callable[[float], object] = time.sleep,
) -> list[ReportRow]:
    """Return the rows of a period (first and last day, in the account's zone, both included). Raises FetchFailed."""
    rows = []
    for start, end in _spans(*period):
        rows += _fetch_span(client, token, _parameters(advertiser_id, level, start, end), level, wait)
    return rows


def _spans(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(first + timedelta(days=DAYS_A_CALL - 1), last)
        yield first, end
        first = end + timedelta(days=1)


def _parameters(advertiser_id: str, level: str, first: date, last: date) -> dict[str, Any]:
    data_level, dimension, status = LEVELS[level]
    return {
        "advertiser_id": advertiser_id,
        "report_type": "BASIC",
        "data_level": data_level,
        "dimensions": [dimension, "stat_time_day"],
        "metrics": [*METRICS, *_ATTRIBUTES[level]],
        "start_date": first.isoformat(),
        "end_date": last.isoformat(),
        "filtering": [{"field_name": status, "filter_type": "IN", "filter_value": json.dumps(["STATUS_ALL"])}],
        "page_size": PAGE_SIZE,
    }


def _fetch_span(
    client: MarketingClient, token: str, parameters: Mapping[str, Any], level: str, wait: Callable[[float], object]
) -> list[ReportRow]:
    rows: list[ReportRow] = []
    for page in range(1, MOST_PAGES + 1):
        data = asked(client, REPORT, token, {**parameters, "page": page}, wait).data
        found, info = data.get("list"), data.get("page_info")
        if not isinstance(found, list) or not isinstance(info, dict):
            raise FetchFailed(Fate.AGAIN, "The report has no list of rows.")
        rows += [_row(one, level) for one in found]
        pages, total = info.get("total_page"), info.get("total_number")
        if not isinstance(pages, int) or pages <= page:
            # Rows may move between pages while they are read. Then some are missing, and what is known must stay.
            if isinstance(total, int) and total != len(rows):
                raise FetchFailed(Fate.AGAIN, f"The report has {total} rows, and {len(rows)} came.")
            return rows
    raise FetchFailed(Fate.REFUSED, f"The report has more than {MOST_PAGES} pages.")


def _row(given: object, level: str) -> ReportRow:
    row = given if isinstance(given, dict) else {}
    dimensions, metrics = row.get("dimensions"), row.get("metrics")
    if not isinstance(dimensions, dict) or not isinstance(metrics, dict):
        raise FetchFailed(Fate.AGAIN, "A row of the report can't be read.")
    return ReportRow(
        day=str(dimensions.get("stat_time_day", "")),
        object_id=str(dimensions.get(LEVELS[level][1], "")),
        metrics={str(name): str(one) for name, one in metrics.items() if one is not None},
    )


def asked(
    client: MarketingClient, path: str, token: str, parameters: Mapping[str, Any], wait: Callable[[float], object]
) -> Answer:
    """Return a good answer. TikTok's own trouble is tried three times; else, and after that, raises FetchFailed."""
    answer = Answer()
    for number in range(TRIES):
        if number:
            wait(PAUSES[number - 1])
        answer = client.get(path, token, parameters)
        if answer.fate is Fate.OK:
            return answer
        if answer.fate is not Fate.AGAIN:
            break
    raise FetchFailed(answer.fate, str(answer))


@errors_without_values
def account_info(
    client: MarketingClient, token: str, advertiser_id: str, *, wait: Callable[[float], object] = time.sleep
) -> AccountInfo:
    """Return the account's time zone and currency. Raises FetchFailed."""
    fields = ["advertiser_id", "timezone", "display_timezone", "currency"]
    parameters = {"advertiser_ids": [advertiser_id], "fields": fields}
    found = asked(client, ADVERTISER_INFO, token, parameters, wait).data.get("list")
    account: Any = next((one for one in found if isinstance(one, dict)), {}) if isinstance(found, list) else {}
    # `timezone` was seen as an IANA name and as "UTC+08:00".
    names = [str(account.get(name) or "") for name in ("display_timezone", "timezone")]
    zones = [(name, zone) for name in names for zone in [read_zone(name)] if zone is not None]
    name, zone = zones[0] if zones else ("", None)
    return AccountInfo(time_zone=zone, zone_name=name, currency=str(account.get("currency") or "")[:3].upper())


def read_zone(name: str) -> ZoneInfo | timezone | None:
    """Return the zone of an IANA name or of "UTC+08:00" ("Etc/GMT-8" is an IANA name too); None for another text."""
    if name.upper().startswith(("UTC", "GMT")):
        return _fixed(name[3:])
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _fixed(offset: str) -> timezone | None:
    if not offset:
        return timezone.utc
    sign, (hours, _colon, minutes) = offset[0], offset[1:].partition(":")
    if sign not in "+-" or not hours.isdecimal() or (minutes and not minutes.isdecimal()):
        return None
    ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if ahead >= timedelta(hours=24):
        return None
    return timezone(ahead if sign == "+" else -ahead)
