"""Clean the `properties` of an event, which are the same for the pixel call and the server's event.

`properties` is the entry point. It cleans contents, currency, value, known keys and the site's own keys in turn.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from tiktok_attribution.events.contents import (
    ITEM_TEXTS,
    LeftOut,
    Lines,
    clean_contents,
    count,
    item_text,
    valid_content_type,
    valid_id,
)
from tiktok_attribution.events.money import MAX_AMOUNT, amount, currency_code, money_parts, total
from tiktok_attribution.events.sanitize import free_text, holds_email
from tiktok_attribution.exceptions import InvalidEvent

_IDS = ("order_id", "shop_id", "content_id")
_TEXTS = ("search_string", "description", "status", "delivery_category", *ITEM_TEXTS)
_OTHERS = (
    "contents",
    "content_type",
    "content_ids",
    "value",
    "currency",
    "query",
    "num_items",
    "predicted_ltv",
)
_TAKEN = frozenset({*_IDS, *_TEXTS, *_OTHERS})
REVENUE_EVENTS = frozenset({"Purchase", "PlaceAnOrder"})
# Letters only, lower-case: keys that belong in `user`, where they are hashed.
_PERSONAL = frozenset(
    {"email", "emailaddress", "customeremail", "useremail", "shaemail"}
    | {"phone", "phonenumber", "customerphone", "telephone", "shaphonenumber"}
    | {"firstname", "lastname", "fullname", "customername", "birthday", "dateofbirth", "ipaddress"}
)
# TikTok documents no limit of a request's size. Tag platforms keep to 1 MB, and so does BATCH_BYTES by default. What is
# sent beside this list (matching keys, page, texts) fits into the rest.
MOST_LIST_BYTES = 850_000
_MOST_UNMEASURED = 16
"""A list of so many items always fits: 4 texts of 1,000 characters with 12 bytes each make 48 kB an item."""
_OWN_NAME = re.compile(r"[^\W\d_][\w .-]{0,99}")
_NO_LETTER = re.compile(r"[^a-z]")


def properties(
    raw: Mapping[str, object],
    *,
    event: str = "",
    default_currency: str = "",
    value_in_minor_units: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """Clean the properties that a caller gave. Return them in the order that is sent, and notes on what was left out.

    None and "" count as not given. `value_in_minor_units` applies to `value` and to each price, unless it is a money
    object. What can't be sent is left out with a note. Raises InvalidEvent for a value that is negative or no amount.
    """
    notes: list[str] = []
    given = _given(raw, notes)
    lines = _lines(given, notes)
    currency = _currency(given, lines, default_currency, notes)
    pricing = _Pricing(currency, value_in_minor_units, notes)

    clean: dict[str, Any] = {}
    sent = _take_contents(given, lines, clean, pricing, notes)
    value = _value(given, sent, pricing)
    if value is not None and currency:
        clean = {"value": value, "currency": currency, **clean}
    elif currency and ("currency" in given or any("price" in item for item in sent.items)):
        clean = {"currency": currency, **clean}
    _take_known(given, clean, notes)
    for key, own in given.items():
        if key not in _TAKEN:
            _take_own(key, own, clean, notes)
    _shorten(clean, notes)
    if event in REVENUE_EVENTS and "value" not in clean:
        notes.insert(0, f"{event} without value and currency: TikTok counts it, but not in revenue and ROAS")
    return clean, notes


class _Pricing:
    """Convert amounts of this event to the numbers that are sent."""

    def __init__(self, currency: str, minor_units: bool, notes: list[str]) -> None:
        self.currency = currency
        self.minor_units = minor_units
        self.notes = notes

    def __call__(self, v: object, *, signed: bool = False) -> int | float | None:
        """Return the number. None for cents of an unknown currency, because the unit is unknown as well."""
        parts = money_parts(v)
        if parts is not None:
            self._check_currency(parts[1])
        elif self.minor_units and not self.currency:
            amount(v, signed=signed)  # still raises for what is no amount at all
            note = "amounts in minor units left out: they need a currency that TikTok lists"
            if note not in self.notes:
                self.notes.append(note)
            return None
        return amount(v, currency=self.currency, minor_units=self.minor_units, signed=signed)

    def _check_currency(self, own: object) -> None:
        """Check that the amount has the event's currency: an event has only one."""
        if self.currency and currency_code(own) != self.currency:
            raise InvalidEvent(f"its currency is not the event's, {self.currency}")


def _given(raw: Mapping[Any, object], notes: list[str]) -> dict[str, object]:
    given: dict[str, object] = {}
    for key, value in raw.items():
        if key not in _TAKEN and (not isinstance(key, str) or _OWN_NAME.fullmatch(key) is None):
            shown = repr(key) if len(str(key)) < 100 and not holds_email(str(key)) else "(not shown)"
            notes.append(f"property name {shown} left out: it must be a letter, then letters, digits, _ - .")
        elif value is not None and not (isinstance(value, str) and not value.strip()):
            given[key] = value
    return given


def _lines(given: Mapping[str, object], notes: list[str]) -> list[object]:
    """Return the contents as a list: they may be a generator, and are read twice."""
    contents = given.get("contents", ())
    if isinstance(contents, (str, bytes, Mapping)) or not isinstance(contents, Iterable):
        notes.append("contents left out: they must be a list of items, each a mapping or a Content")
        return []
    return list(contents)


def _currency(given: Mapping[str, object], lines: Sequence[object], default: str, notes: list[str]) -> str:
    """Return the currency to send, or "" with a note. A bad currency costs the value, not the event."""
    if not {"currency", "value", "contents"} & given.keys():
        return ""
    code = given.get("currency") or _own_currency(given.get("value"), lines) or default
    if not code:
        if "value" in given:
            notes.append("value left out: it has no currency, and DEFAULT_CURRENCY is not set")
        return ""
    try:
        return currency_code(code)
    except InvalidEvent as error:
        notes.append(f"value and currency left out: {error}")
        return ""


def _own_currency(value: object, lines: Iterable[object]) -> object:
    """Return the currency of the value, or of the first price, if these are money objects that name one."""
    if value is not None:
        parts = money_parts(value)
        return parts[1] if parts else None
    for line in lines:
        price = line.get("price") if isinstance(line, Mapping) else getattr(line, "price", None)
        if price is not None and (parts := money_parts(price)):
            return parts[1]
    return None


def _take_contents(
    given: Mapping[str, object], lines: Sequence[object], clean: dict[str, Any], pricing: _Pricing, notes: list[str]
) -> Lines:
    content_type = ""
    if "content_type" in given:
        with LeftOut("content_type", notes):
            content_type = valid_content_type(given["content_type"])
    items, worth = clean_contents(lines, content_type=content_type, price=pricing, notes=notes)
    ids = _content_ids(given["content_ids"], notes) if "content_ids" in given else []
    if items and ids:
        notes.append("content_ids left out: the contents carry the ids")
    if not content_type and (items or ids):
        types = {item["content_type"] for item in items}
        content_type = types.pop() if len(types) == 1 else "product"
    if content_type:
        clean["content_type"] = content_type
    if items:
        clean["contents"] = items
    elif ids:
        clean["content_ids"] = ids
    return Lines(items, worth)


def _shorten(clean: dict[str, Any], notes: list[str]) -> None:
    """Leave out the last items of a list that would make the request too large. The value stays that of all items."""
    for key in ("contents", "content_ids"):
        items = clean.get(key, ())
        if len(items) <= _MOST_UNMEASURED:
            continue
        left = MOST_LIST_BYTES
        for index, item in enumerate(items):
            left -= len(json.dumps(item)) + 1
            if left < 0:
                notes.append(f"{key}: the last {len(items) - index} of {len(items)} left out, for a request has 1 MB")
                clean[key] = items[:index]
                break


def _content_ids(v: object, notes: list[str]) -> list[str]:
    if isinstance(v, str):
        v = [v]
    if isinstance(v, (bytes, Mapping)) or not isinstance(v, Iterable):
        notes.append("content_ids left out: they must be a list of ids")
        return []
    ids = []
    for index, entry in enumerate(v):
        with LeftOut(f"content_ids[{index}]", notes):
            ids.append(valid_id(entry, f"content_ids[{index}]", notes))
    return [entry for entry in ids if entry]


# `value` is the one part that is never left out because it can't be read. A purchase that is delivered without it has
# no revenue, and can't be repaired. An invalid one raises an alert, and is built again once the declaration is fixed.
# The sum does not replace it, because it lacks shipping and tax. The sum is sent if the site gives no value and the
# worth of every line is known. Lines that are no items (a voucher, a returned piece) are not sent, and lower the sum.
def _value(given: Mapping[str, object], lines: Lines, pricing: _Pricing) -> int | float | None:
    """Return the given value, else the sum of lines that all have a price, as in TikTok's server tag template."""
    try:
        if "value" in given:
            return pricing(given["value"])
        return total(lines.worth) if lines.items and lines.worth is not None else None
    except InvalidEvent as error:
        raise InvalidEvent(f"value: {error}") from None


def _take_known(given: Mapping[str, object], clean: dict[str, Any], notes: list[str]) -> None:
    if "num_items" in given:
        with LeftOut("num_items", notes):
            clean["num_items"] = count(given["num_items"], least=0)
    if "predicted_ltv" in given:
        with LeftOut("predicted_ltv", notes):
            clean["predicted_ltv"] = amount(given["predicted_ltv"])
    for key in (*_IDS, *_TEXTS):
        # `query` is the older name of `search_string`.
        source = "query" if key == "search_string" and key not in given else key
        if source in given:
            with LeftOut(key, notes):
                if text := _text(key, given[source], notes):
                    clean[key] = text


def _text(key: str, value: object, notes: list[str]) -> str:
    if key in _IDS:
        return valid_id(value, key, notes)
    return item_text(value, key, notes) if key in ITEM_TEXTS else free_text(value, key, notes)


def _take_own(key: str, value: object, clean: dict[str, Any], notes: list[str]) -> None:
    """Take a key of the site's own: a JSON scalar or a list of them."""
    if _NO_LETTER.sub("", key.lower()) in _PERSONAL:
        notes.append(f"{key} left out: personal data belongs into user, where it is hashed")
    elif isinstance(value, (list, tuple)):
        clean[key] = []
        for index, entry in enumerate(value):
            with LeftOut(f"{key}[{index}]", notes):
                clean[key].append(_scalar(entry, f"{key}[{index}]", notes))
    else:
        with LeftOut(key, notes):
            clean[key] = _scalar(value, key, notes)


def _scalar(v: object, where: str, notes: list[str]) -> str | bool | int | float:
    if isinstance(v, bool):
        return v
    if isinstance(v, (int, float, Decimal)):
        return _number(v, where)
    if isinstance(v, (date, UUID)):
        return v.isoformat() if isinstance(v, date) else str(v)
    if isinstance(v, str):
        return free_text(v, where, notes)
    raise InvalidEvent(f"{where} must be text, a number, true, false or a list of these, not {type(v).__name__}")


def _number(v: float | Decimal, where: str) -> int | float:
    if not (v.is_finite() if isinstance(v, Decimal) else isinstance(v, int) or math.isfinite(v)):
        raise InvalidEvent(f"{where} must be a finite number")
    if not -MAX_AMOUNT <= v <= MAX_AMOUNT:
        raise InvalidEvent(f"{where} is too large for a number in a browser: give it as text")
    return int(v) if isinstance(v, int) or v == int(v) else float(v)
