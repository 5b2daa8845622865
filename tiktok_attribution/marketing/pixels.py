"""Ask TikTok how a pixel is set up and how many of its events were counted (`pixel/list/`, `pixel/event/stats/`).

Setup is 2 to 4 hours old. Counts are those of browser and server together, by days of UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.marketing.client import PIXEL_LIST, PIXEL_STATS, Fate, MarketingClient
from tiktok_attribution.marketing.reports import DAYS_A_CALL, FetchFailed, asked

PAGE_SIZE = 20
MOST_PAGES = 50
MOST_PIXELS_A_CALL = 10
_LISTS = ("list", "stats", "pixels", "events")
"""Names under which a list of rows was seen; TikTok's reference could not be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuilderRule:
    """An event that Event Builder makes in the browser: without an event_id, so it counts twice beside ours."""

    event: str
    trigger: str = ""
    variable: str = ""
    operator: str = ""
    value: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelSetup:
    """How a pixel is set up at TikTok. None: TikTok's answer does not say."""

    pixel_id: str
    code: str
    mode: str = ""
    email_matching: bool | None = None
    phone_matching: bool | None = None
    first_party_cookies: bool | None = None
    builder_rules: tuple[BuilderRule, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EventCount:
    """How many events of one name TikTok counted for a pixel; `attributed`: those that it gave to an ad."""

    pixel_id: str
    event: str
    total: int
    attributed: int | None = None


@errors_without_values
def fetch_pixels(
    client: MarketingClient, token: str, advertiser_id: str, *, wait: Callable[[float], object] = time.sleep
) -> list[PixelSetup]:
    """Return the pixels of an account. Raises FetchFailed."""
    found = []
    for page in range(1, MOST_PAGES + 1):
        parameters = {"advertiser_id": advertiser_id, "page": page, "page_size": PAGE_SIZE}
        data = asked(client, PIXEL_LIST, token, parameters, wait).data
        found += [_setup(one) for one in _rows(data)]
        info = data.get("page_info")
        pages = info.get("total_page") if isinstance(info, dict) else None
        if not isinstance(pages, int) or pages <= page:
            return found
    raise FetchFailed(Fate.REFUSED, f"The account has more than {MOST_PAGES * PAGE_SIZE} pixels.")


def _setup(given: Mapping[str, Any]) -> PixelSetup:
    matching = given.get("advanced_matching_fields")
    matching = matching if isinstance(matching, dict) else {}
    return PixelSetup(
        pixel_id=str(given.get("pixel_id") or ""),
        code=str(given.get("pixel_code") or ""),
        mode=str(given.get("pixel_setup_mode") or ""),
        email_matching=_flag(matching.get("email")),
        phone_matching=_flag(matching.get("phone_number")),
        first_party_cookies=_flag(given.get("enable_first_party_cookies")),
        builder_rules=tuple(_rules(given.get("events"))),
    )


def _flag(given: object) -> bool | None:
    return given if isinstance(given, bool) else None


def _rules(events: object) -> Iterator[BuilderRule]:
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            name = _event(event)
            for rule in event.get("rules") or ():
                if isinstance(rule, dict):
                    told = {key: str(rule.get(key) or "") for key in ("trigger", "variable", "operator", "value")}
                    yield BuilderRule(event=name, **told)


@errors_without_values
def fetch_event_counts(
    client: MarketingClient,
    token: str,
    advertiser_id: str,
    pixel_ids: Collection[str],
    period: tuple[date, date],
    *,
    wait: Callable[[float], object] = time.sleep,
) -> list[EventCount]:
    """Return what TikTok counted from the first to the last day (UTC, both included, 30 days at most).

    Raises ValueError for a longer period, FetchFailed if TikTok does not tell.
    """
    first, last = period
    if not 0 <= (last - first).days < DAYS_A_CALL:
        raise ValueError(f"TikTok counts {DAYS_A_CALL} days at most")
    ids = list(pixel_ids)
    counts: list[EventCount] = []
    for start in range(0, len(ids), MOST_PIXELS_A_CALL):
        parameters = {
            "advertiser_id": advertiser_id,
            "pixel_ids": ids[start : start + MOST_PIXELS_A_CALL],
            "date_range": {"start_date": first.isoformat(), "end_date": last.isoformat()},
        }
        for one in _rows(asked(client, PIXEL_STATS, token, parameters, wait).data):
            pixel_id = str(one.get("pixel_id") or "")
            # Rows by event were not seen: they may stand in the row of their pixel, or each with its pixel's id.
            for row in _rows(one) or [one]:
                total, attributed = row.get("total_count"), row.get("attributed_count")
                if type(total) is int:
                    known = attributed if type(attributed) is int else None
                    counts.append(EventCount(pixel_id=pixel_id, event=_event(row), total=total, attributed=known))
    return counts


def _event(row: Mapping[str, Any]) -> str:
    return str(next((row[name] for name in ("event_type", "event_code", "event_name") if row.get(name)), ""))


def _rows(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[Any] = next((data[name] for name in _LISTS if isinstance(data.get(name), list)), [])
    return [one for one in found if isinstance(one, dict)]
