"""The `properties` of an event, the same for the browser's call and the server's event."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..exceptions import InvalidEvent
from .contents import At, clean_contents, valid_content_type, valid_id
from .counts import count
from .money import MAX_AMOUNT, amount, currency_code, total
from .text import free_text, holds_email

_IDS = ("order_id", "shop_id", "content_id")
_ITEM_TEXTS = ("content_name", "content_category", "brand")
_TEXTS = ("search_string", "description", "status", "delivery_category", *_ITEM_TEXTS)
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
_REVENUE_EVENTS = frozenset({"Purchase", "PlaceAnOrder"})
# Letters only, lower-case: what belongs into `user`, where it is hashed.
_PERSONAL = frozenset(
    {"email", "emailaddress", "customeremail", "useremail", "shaemail"}
    | {"phone", "phonenumber", "customerphone", "telephone", "shaphonenumber"}
    | {"firstname", "lastname", "fullname", "customername", "birthday", "dateofbirth", "ipaddress"}
)
_OWN_NAME = re.compile(r"[^\W\d_][\w .-]{0,99}")
_NO_LETTER = re.compile(r"[^a-z]")


def properties(
    raw: Mapping[str, object],
    *,
    event: str = "",
    default_currency: str = "",
    value_in_minor_units: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """What a caller gave, in the form and order that is sent, and notes on what was left out or is missing.

    None and "" count as not given. `value_in_minor_units` holds for `value` and for each price. Raises
    InvalidEvent that names the key where leaving it out would be wrong too, such as a negative value.
    """
    given = _given(raw)
    notes: list[str] = []
    currency = _currency(given, default_currency, notes)
    pricing = _Pricing(currency, value_in_minor_units, notes)

    clean: dict[str, Any] = {}
    _take_contents(given, clean, pricing, notes)
    value = _value(given, clean.get("contents", []), pricing)
    if value is not None and currency:
        clean = {"value": value, "currency": currency, **clean}
    elif currency and ("currency" in given or any("price" in item for item in clean.get("contents", []))):
        clean = {"currency": currency, **clean}
    _take_known(given, clean, notes)
    for key, own in given.items():
        if key not in _TAKEN:
            _take_own(key, own, clean, notes)
    if event in _REVENUE_EVENTS and "value" not in clean:
        notes.append(f"{event} without value and currency: TikTok counts it, but not in revenue and ROAS")
    return clean, notes


class _Pricing:
    """How an amount of this event becomes a number to send."""

    def __init__(self, currency: str, minor_units: bool, notes: list[str]) -> None:
        self.currency = currency
        self.minor_units = minor_units
        self.notes = notes

    def __call__(self, v: object) -> int | float | None:
        """None for cents of an unknown currency: how many of them make one is unknown as well."""
        if self.minor_units and not self.currency:
            amount(v)  # still refuses what is no amount at all
            note = "amounts in minor units left out: they need a currency that TikTok lists"
            if note not in self.notes:
                self.notes.append(note)
            return None
        return amount(v, currency=self.currency, minor_units=self.minor_units)


def _given(raw: Mapping[Any, object]) -> dict[str, object]:
    given: dict[str, object] = {}
    for key, value in raw.items():
        if key not in _TAKEN and (not isinstance(key, str) or _OWN_NAME.fullmatch(key) is None):
            shown = repr(key) if len(str(key)) < 100 and not holds_email(str(key)) else "(not shown)"
            raise InvalidEvent(f"property name {shown} must be text: a letter, then letters, digits, _ - .")
        if value is not None and not (isinstance(value, str) and not value.strip()):
            given[key] = value
    return given


def _currency(given: Mapping[str, object], default_currency: str, notes: list[str]) -> str:
    """The code to send, or "" with a note. A bad currency costs the value, not the event."""
    if not {"currency", "value", "contents"} & given.keys():
        return ""
    code = given.get("currency", default_currency)
    if not code:
        if "value" in given:
            notes.append("value left out: it has no currency, and CURRENCY is not set")
        return ""
    try:
        return currency_code(code)
    except InvalidEvent as error:
        notes.append(f"value and currency left out: {error}")
        return ""


def _take_contents(given: Mapping[str, object], clean: dict[str, Any], pricing: _Pricing, notes: list[str]) -> None:
    with At("content_type"):
        content_type = valid_content_type(given["content_type"]) if "content_type" in given else ""
    items = []
    if "contents" in given:
        items = clean_contents(given["contents"], content_type=content_type, price=pricing, notes=notes)
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


def _content_ids(v: object, notes: list[str]) -> list[str]:
    if isinstance(v, str):
        v = [v]
    if isinstance(v, (bytes, Mapping)) or not isinstance(v, Iterable):
        raise InvalidEvent("content_ids must be a list of ids")
    ids = (valid_id(entry, f"content_ids[{index}]", notes) for index, entry in enumerate(v))
    return [entry for entry in ids if entry]


def _value(given: Mapping[str, object], items: list[dict[str, Any]], pricing: _Pricing) -> int | float | None:
    """The value given, else the sum over items that all have a price, as in TikTok's server tag template."""
    with At("value"):
        if "value" in given:
            return pricing(given["value"])
        if items and all("price" in item for item in items):
            return total([(item["price"], item.get("quantity", 1)) for item in items])
    return None


def _take_known(given: Mapping[str, object], clean: dict[str, Any], notes: list[str]) -> None:
    if "num_items" in given:
        with At("num_items"):
            clean["num_items"] = count(given["num_items"], least=0)
    if "predicted_ltv" in given:
        with At("predicted_ltv"):
            clean["predicted_ltv"] = amount(given["predicted_ltv"])
    texts = {key: valid_id(given[key], key, notes) for key in _IDS if key in given}
    for key in _TEXTS:
        # `query` is the older name of `search_string`.
        source = "query" if key == "search_string" and key not in given else key
        if source in given:
            texts[key] = free_text(given[source], key, notes)
    clean.update((key, text) for key, text in texts.items() if text)


def _take_own(key: str, value: object, clean: dict[str, Any], notes: list[str]) -> None:
    """A key of the site's own: a JSON scalar or a list of them."""
    if _NO_LETTER.sub("", key.lower()) in _PERSONAL:
        notes.append(f"{key} left out: personal data belongs into user, where it is hashed")
    elif isinstance(value, (list, tuple)):
        clean[key] = [_scalar(entry, f"{key}[{index}]", notes) for index, entry in enumerate(value)]
    else:
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
