"""Check one row of `data` for what TikTok refuses."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from tiktok_attribution.events.money import CURRENCIES
from tiktok_attribution.testing import faults
from tiktok_attribution.testing.faults import refuse, refuse_in_our_words
from tiktok_attribution.testing.remarks import (
    HASHED_KEYS,
    Remark,
    name_remarks,
    property_remarks,
    user_remarks,
    values_of,
)

MAX_NAME_LENGTH = 50
EARLIEST_MILLISECONDS = 100_000_000_000  # as seconds it would be in the year 5138
MAX_AGE_SECONDS = 28 * 86_400
MAX_AHEAD_SECONDS = 600
TEXT_USER_KEYS = frozenset({"ttclid", "ttp", "ip", "user_agent", "locale", "city", "state", "country"})

_HASH_IN_ANY_CASE = re.compile(r"[0-9A-Fa-f]{64}")


def check_event(
    event: object,
    row: int,
    *,
    web: bool,
    refuse_unknown_currency: bool,
    now: float,
    remarks: list[Remark],
) -> None:
    """Raise RefusedError for what TikTok refuses. Append to `remarks` what TikTok accepts without a message."""
    if not isinstance(event, dict):
        refuse_in_our_words(40002, f"row {row} of data is not an object")
    name = event.get("event")
    if not isinstance(name, str) or not name:
        refuse_in_our_words(40002, f"event must be text (row {row})")
    if len(name) > MAX_NAME_LENGTH:
        refuse_in_our_words(40002, f"event is over {MAX_NAME_LENGTH} characters (row {row})")
    event_id = event.get("event_id")
    if event_id is not None and not isinstance(event_id, str):
        refuse(40002, faults.EVENT_ID_NOT_TEXT)
    user = _object_in(event, "user", row)
    properties = _object_in(event, "properties", row)
    page = _object_in(event, "page", row)
    if not isinstance(event.get("limited_data_use", False), bool):
        refuse_in_our_words(40002, f"limited_data_use must be true or false (row {row})")
    found = [
        *_check_time(event.get("event_time"), row, now),
        *_check_page(page, row, web),
        *name_remarks(name),
    ]
    if not event_id:
        found.append("no event_id: the event merges with no other and a repeat is counted again")
    _check_user(user, row)
    found.extend(user_remarks(user))
    _check_properties(properties, row, refuse_unknown_currency)
    found.extend(property_remarks(name, properties))
    remarks.extend(Remark(text=text, event=name, event_id=event_id or "") for text in found)


def _object_in(event: Mapping[str, Any], key: str, row: int) -> Mapping[str, Any]:
    found = event.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        refuse_in_our_words(40002, f"{key} must be an object (row {row})")
    return found


def _check_time(event_time: object, row: int, now: float) -> list[str]:
    if type(event_time) is not int or not 0 < event_time < EARLIEST_MILLISECONDS:
        refuse_in_our_words(40002, f"event_time must be whole seconds since 1970 (row {row})")
    if event_time < now - MAX_AGE_SECONDS:
        return ["event_time is more than 28 days ago"]
    if event_time > now + MAX_AHEAD_SECONDS:
        return ["event_time is more than 10 minutes ahead"]
    return []


def _check_page(page: Mapping[str, Any], row: int, web: bool) -> list[str]:
    url = page.get("url")
    if web and (not isinstance(url, str) or not url):
        refuse_in_our_words(40002, f"page.url is required for web events (row {row})")
    if not isinstance(page.get("referrer") or "", str):
        refuse_in_our_words(40002, f"page.referrer must be text (row {row})")
    if isinstance(url, str) and not url.startswith(("http://", "https://")):
        return ["page.url is not a full address with http:// or https://"]
    return []


def _check_user(user: Mapping[str, Any], row: int) -> None:
    for key, given in user.items():
        if key in TEXT_USER_KEYS:
            if not isinstance(given or "", str):
                refuse_in_our_words(40002, f"user.{key} must be text (row {row})")
        elif key in HASHED_KEYS:
            for value in values_of(given):
                if not isinstance(value, str):
                    refuse_in_our_words(40002, f"user.{key} must be text (row {row})")
                if key in ("email", "phone") and not _HASH_IN_ANY_CASE.fullmatch(value):
                    refuse_in_our_words(40062, f"{key} must be a SHA-256 in hexadecimal (row {row})")


def _check_properties(properties: Mapping[str, Any], row: int, refuse_unknown_currency: bool) -> None:
    if "value" in properties and not is_number(properties["value"]):
        refuse_in_our_words(40002, f"properties.value must be a number (row {row})")
    currency = properties.get("currency")
    if currency is not None and not isinstance(currency, str):
        refuse_in_our_words(40002, f"properties.currency must be text (row {row})")
    if currency and refuse_unknown_currency and currency not in CURRENCIES:
        refuse_in_our_words(40002, f"properties.currency is not in the list (row {row})")
    if not _is_list_of(properties.get("content_ids", []), str):
        refuse_in_our_words(40002, f"properties.content_ids must be a list of texts (row {row})")
    contents = properties.get("contents", [])
    if not _is_list_of(contents, dict):
        refuse_in_our_words(40002, f"properties.contents must be a list of objects (row {row})")
    for position, item in enumerate(contents):
        _check_item(item, row, position)


def _check_item(item: Mapping[str, Any], row: int, position: int) -> None:
    if "content_id" in item and not isinstance(item["content_id"], str):
        refuse(40002, faults.CONTENT_ID_NOT_TEXT.format(row=row, item=position))
    if "price" in item and not is_number(item["price"]):
        refuse(40000, faults.PRICE_NOT_NUMBER)
    if "quantity" in item and type(item["quantity"]) is not int:
        refuse_in_our_words(40002, f"contents[{position}].quantity must be a whole number (row {row})")


def is_number(value: object) -> bool:
    """Return whether the value is a finite JSON number. true and false are not; 1e999 is read as infinity."""
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
