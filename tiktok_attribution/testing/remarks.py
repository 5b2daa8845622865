"""Remarks about events that TikTok accepts, on either channel. TikTok would show them in Diagnostics, or nowhere."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tiktok_attribution.events.money import CURRENCIES
from tiktok_attribution.events.names import (
    OLDER_NAMES,
    PAGE_VIEW,
    RESERVED_NAMES,
    STANDARD_EVENTS,
    SUNSET_NAMES,
    sunset_note,
)

MATCHING_ALONE = frozenset({"email", "phone", "external_id", "ttclid", "ttp"})
MATCHING_TOGETHER = frozenset({"ip", "user_agent"})
VALUE_EVENTS = frozenset({"Purchase", "CompletePayment", "PlaceAnOrder"})
HASHED_KEYS = frozenset({"email", "phone", "external_id", "first_name", "last_name", "zip_code"})

_CUSTOM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")
_KNOWN_NAMES = STANDARD_EVENTS | OLDER_NAMES.keys() | SUNSET_NAMES | RESERVED_NAMES.keys() | {PAGE_VIEW}
_STANDARD_BY_LOWER_CASE = {name.lower(): name for name in (*STANDARD_EVENTS, *OLDER_NAMES, PAGE_VIEW)}
_HASH = re.compile(r"[0-9a-f]{64}")
_HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A sentence for a person, and the event that it is about."""

    text: str
    event: str = ""
    event_id: str = ""


def is_hash(value: object) -> bool:
    """Return whether the value is 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def values_of(value: object) -> list[Any]:
    """Return the values of a user key that may be one string or a list, without empty ones."""
    return [one for one in (value if isinstance(value, list) else [value]) if one not in ("", None)]


def name_remarks(name: str) -> Iterator[str]:
    if name in OLDER_NAMES:
        yield f"{name} is an older name, TikTok turns it into {OLDER_NAMES[name]}: use that on both channels"
    if name in SUNSET_NAMES:
        yield sunset_note(name)
    if name in RESERVED_NAMES:
        yield f"{name} is reserved, TikTok turns it into {RESERVED_NAMES[name]}"
    if name in _KNOWN_NAMES:
        return
    meant = _STANDARD_BY_LOWER_CASE.get(name.lower())
    if meant:
        yield f"{name!r} is taken as a custom event: did you mean {meant!r}?"
    elif not _CUSTOM_NAME.fullmatch(name):
        yield f"{name[:60]!r} is no valid custom name: a letter, then letters, digits, _ and -, at most 50"


def property_remarks(name: str, properties: Mapping[str, Any]) -> Iterator[str]:
    value, currency = properties.get("value"), properties.get("currency")
    if name in VALUE_EVENTS and (value is None or not currency):
        yield f"{name} without value and currency can't be used for reports of return on ad spend"
    elif value is not None and not currency:
        yield "value without currency"
    if isinstance(value, (int, float)) and value < 0:
        yield "value is negative"
    if isinstance(currency, str) and currency and currency not in CURRENCIES:
        yield f"currency {currency[:12]!r} is not in TikTok's list"
    if properties.get("content_type") not in (None, "", "product", "product_group"):
        yield "content_type is neither product nor product_group"


def user_remarks(user: Mapping[str, Any]) -> Iterator[str]:
    given = {key for key, value in user.items() if value}
    for key in user:
        if key in HASHED_KEYS:
            yield from _hash_remarks(key, user[key])
    if given.isdisjoint(MATCHING_ALONE) and not given >= MATCHING_TOGETHER:
        yield "nothing in user by which the event could be matched to a person"
    ip = user.get("ip")
    if isinstance(ip, str) and ip and not _is_public(ip):
        yield "ip is not a public address"


def _hash_remarks(key: str, given: object) -> Iterator[str]:
    for value in values_of(given):
        if not is_hash(value):
            yield f"{key} is not hashed: SHA-256 as 64 lower-case hexadecimal digits is expected"
        elif value == _HASH_OF_NOTHING:
            yield f"{key} is the hash of an empty text"


@lru_cache(maxsize=4096)
def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
