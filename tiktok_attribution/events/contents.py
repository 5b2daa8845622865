"""Clean the `contents` of an event: what was looked at, put in the cart or bought, item by item.

`clean_contents` turns lines of an order into the items that are sent, with a note on what was left out. `count` reads
`quantity` and `num_items` as JSON integers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from tiktok_attribution.events.sanitize import (
    MAX_TEXT,
    bounded,
    free_text,
    plain,
    tidy,
    without_emails,
    without_written_phones,
)
from tiktok_attribution.exceptions import InvalidEvent

LARGEST = 10**9
"""Our limit: a larger count is a key or a timestamp in the wrong place."""

_DIGITS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,12})?")


def count(v: object, *, least: int) -> int:
    """Read a whole number from `least` up, from 2, "2", "2.0", 2.0 or Decimal("2"). Raises InvalidEvent."""
    number = _whole(v)
    if number is None:
        raise InvalidEvent("must be a whole number")
    if number < least:
        raise InvalidEvent(f"must be at least {least}")
    if number > LARGEST:
        raise InvalidEvent("is too large to be a count")
    return number


def is_fraction(v: object) -> bool:
    """Return whether a value is a positive amount that is no whole number, such as 1.5 metres."""
    if isinstance(v, str):
        text = v.strip()
        v = Decimal(text) if _DIGITS.fullmatch(text) else None
    if isinstance(v, Decimal):
        return v.is_finite() and 0 < v <= LARGEST and v != int(v)
    return isinstance(v, float) and math.isfinite(v) and v > 0 and not v.is_integer()


def _whole(v: object) -> int | None:
    if isinstance(v, bool):
        return None
    if isinstance(v, int):
        return int(v)
    if isinstance(v, str):
        text = v.strip()
        digits = text.removeprefix("-")
        if _DIGITS.fullmatch(digits) is None:
            return None
        v = Decimal(digits) if digits == text else -Decimal(digits)
    if isinstance(v, Decimal):
        # math.isfinite() would raise for a signalling NaN, and int() of 1E+999999 has a million digits.
        return int(v) if v.is_finite() and -10 * LARGEST <= v <= 10 * LARGEST and v == int(v) else None
    return int(v) if isinstance(v, float) and math.isfinite(v) and v.is_integer() else None


ITEM_TEXTS = ("content_name", "content_category", "brand")
CONTENT_KEYS = ("content_id", "content_type", *ITEM_TEXTS, "price", "quantity")
CONTENT_TYPES = ("product", "product_group")
"""Whether the ids are a catalogue's SKU ids, or its item-group ids."""


class Price(Protocol):
    """Clean a unit price. Return None if it can't be sent. Raises InvalidEvent."""

    def __call__(self, v: object, *, signed: bool = False) -> int | float | None: ...


# One rule for every part of an event: what can't be sent is left out with a note, and the rest is sent. One odd line of
# a shop must not cost the sale. An event is invalid only if it would be meaningless. It has no name, no pixel or an
# impossible event id. Or its value is negative or no amount (see `properties._value`).
class LeftOut:
    """Turn an InvalidEvent that is raised inside into a note that this part of the event is left out."""

    def __init__(self, where: str, notes: list[str]) -> None:
        self._where, self._notes = where, notes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, InvalidEvent):
            return False
        note_left_out(self._where, error, self._notes)
        return True


def note_left_out(where: str, error: InvalidEvent, notes: list[str]) -> None:
    """Note that this part of the event is left out. In a loop over lines, `try` costs less than `LeftOut`."""
    reason = str(error).removeprefix(where).lstrip(" :")
    notes.append(f"{where} left out: {reason}")


class Lines(NamedTuple):
    """The items that are sent, and the price and quantity of all lines together.

    `worth` has signed price and quantity of every line, including those that are left out. None if any is unknown.
    """

    items: list[dict[str, Any]]
    worth: list[tuple[int | float, int]] | None


def clean_contents(contents: Sequence[object], *, content_type: str, price: Price, notes: list[str]) -> Lines:
    """Clean the lines into the items that are sent. `notes` gets what was left out, with index and key."""
    items: list[dict[str, Any]] = []
    worth: list[tuple[int | float, int]] = []
    for index, item in enumerate(contents):
        line = _Line(f"contents[{index}]", price, notes)
        try:
            sent = line.clean(item, content_type or "product")
        except InvalidEvent as error:
            note_left_out(line.where, error, notes)
        else:
            if sent:
                items.append(sent)
        if line.worth is not None:
            worth.append(line.worth)
    return Lines(items, worth if len(worth) == len(contents) else None)


def valid_content_type(v: object) -> str:
    """Return "product" or "product_group". Raises InvalidEvent for anything else."""
    text = plain(v)
    if text not in CONTENT_TYPES:
        raise InvalidEvent('must be "product" or "product_group"')
    return text


def valid_id(v: object, where: str, notes: list[str]) -> str:
    """Return an id as text: for a number, TikTok refuses the batch. Raises InvalidEvent for what is no scalar id.

    An e-mail address is cut out, with a note. Digits stay, whatever they look like, because catalogues number by them.
    """
    given = plain(v)
    if given is None:
        raise InvalidEvent(f"{where} must be text or a whole number, not {type(v).__name__}")
    if len(given) <= MAX_TEXT and "@" not in given:
        return tidy(given)
    text, (emails,), _ = bounded(given, MAX_TEXT, without_emails)
    if emails:
        notes.append(f"{where}: an e-mail address was left out")
    return text


class _Line:
    """One line of an order that becomes an item. `worth` is signed price and quantity, None if one is unknown."""

    worth: tuple[int | float, int] | None = None

    def __init__(self, where: str, price: Price, notes: list[str]) -> None:
        self.where, self._price, self._notes = where, price, notes

    def clean(self, item: object, content_type: str) -> dict[str, Any]:
        """Return the item; empty for a line that is no item, such as a voucher. Raises InvalidEvent for what is no
        line."""
        given, clean = _given(item, self.where, self._notes), {}
        money = self._money(given)
        if money is None:
            return {}
        content_id = self._content_id(given)
        if content_id:
            clean["content_id"] = content_id
        else:
            self._notes.append(f"{self.where} has no content_id: it can't be matched to a catalogue")
        # TikTok's reference puts it beside the list, its tag templates put it into the items. Both are accepted.
        clean["content_type"] = content_type
        if "content_type" in given:
            with LeftOut(f"{self.where}.content_type", self._notes):
                clean["content_type"] = valid_content_type(given["content_type"])
        for key in ITEM_TEXTS:
            if key in given:
                where = f"{self.where}.{key}"
                try:
                    text = item_text(given[key], where, self._notes)
                except InvalidEvent as error:
                    note_left_out(where, error, self._notes)
                else:
                    if text:
                        clean[key] = text
        clean.update(money)
        return clean

    def _content_id(self, given: dict[str, object]) -> str:
        if "content_id" not in given:
            return ""
        where = f"{self.where}.content_id"
        try:
            return valid_id(given["content_id"], where, self._notes)
        except InvalidEvent as error:
            note_left_out(where, error, self._notes)
            return ""

    def _money(self, given: dict[str, object]) -> dict[str, Any] | None:
        """Return price and quantity to send. None for a line that is no item: a voucher, or a returned piece."""
        price, quantity = self._unit_price(given), 1
        if is_fraction(given.get("quantity")):
            # Cloth is sold by the metre, tea by weight. A unit price without its quantity would give a wrong value.
            self._notes.append(f"{self.where}: quantity and price left out, for TikTok takes whole quantities only")
            return {} if price is None or price >= 0 else None
        if "quantity" in given:
            try:
                quantity = count(given["quantity"], least=-LARGEST)
            except InvalidEvent as error:
                self._notes.append(f"{self.where}: quantity and price left out, for quantity {error}")
                return {} if price is None or price >= 0 else None
        if quantity == 0 or (price is not None and max(price, quantity) >= 0):
            self.worth = (price or 0, quantity)
        if quantity <= 0 or (price is not None and price < 0):
            what = "quantity is not positive" if quantity <= 0 else "price is negative"
            self._notes.append(f"{self.where} left out: its {what}, so it is no item that was bought")
            return None
        money: dict[str, Any] = {} if price is None else {"price": price}
        return {**money, "quantity": quantity} if "quantity" in given else money

    def _unit_price(self, given: dict[str, object]) -> int | float | None:
        if "price" not in given:
            return None
        try:
            return self._price(given["price"], signed=True)
        except InvalidEvent as error:
            note_left_out(f"{self.where}.price", error, self._notes)
            return None


# The shop writes the names of its catalogue, and part numbers look like national phone numbers ("Ersatzteil
# 0986494596"). So digits in one piece stay here. A number with a plus sign, or in groups as people write it, is still
# cut out, because a product that is made to order may hold one. Text that visitors type gets the wider test.
def item_text(value: object, where: str, notes: list[str]) -> str:
    """Clean a name, category or brand as `free_text` does, but keep part numbers."""
    return free_text(value, where, notes, without_written_phones)


def _given(item: object, where: str, notes: list[str]) -> dict[str, object]:
    """Return what the caller filled in, from a mapping's keys or an object's attributes of the same names."""
    if isinstance(item, Mapping):
        unknown = [key for key in item if key not in CONTENT_KEYS]
        if unknown:
            notes.append(f"{where}: {len(unknown)} key(s) that TikTok does not know left out")
        values = {key: item.get(key) for key in CONTENT_KEYS}
    elif hasattr(item, "content_id"):
        values = {key: getattr(item, key, None) for key in CONTENT_KEYS}
    else:
        raise InvalidEvent(f"an item is a mapping or has a content_id, not {type(item).__name__}")
    return {key: value for key, value in values.items() if value is not None and value != ""}
