"""The `contents` of an event: what was looked at, put in the cart or bought, item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..exceptions import InvalidEvent
from .counts import count, is_fraction
from .text import MAX_TEXT, bounded, free_text, plain, tidy, without_emails

_TEXTS = ("content_name", "content_category", "brand")
CONTENT_KEYS = ("content_id", "content_type", *_TEXTS, "price", "quantity")
CONTENT_TYPES = ("product", "product_group")
"""Ids are a catalogue's SKU ids, or its item-group ids."""

Price = Callable[[object], "int | float | None"]
"""The clean unit price of what was given, or None where it can't be sent. Raises InvalidEvent."""


def clean_contents(contents: object, *, content_type: str, price: Price, notes: list[str]) -> list[dict[str, Any]]:
    """The items as they are sent; `notes` gets what was left out. Raises InvalidEvent with index and key."""
    if isinstance(contents, (str, bytes, Mapping)) or not isinstance(contents, Iterable):
        raise InvalidEvent("contents must be a list of items, each a mapping or a Content")
    return [
        _item(item, f"contents[{index}]", content_type or "product", price, notes)
        for index, item in enumerate(contents)
    ]


class At:
    """Puts the place in front of the reason of an InvalidEvent that is raised inside."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, InvalidEvent):
            raise InvalidEvent(f"{self._where}: {error}") from None


def valid_content_type(v: object) -> str:
    """ "product" or "product_group"; raises InvalidEvent for anything else."""
    text = plain(v)
    if text not in CONTENT_TYPES:
        raise InvalidEvent('must be "product" or "product_group"')
    return text


def valid_id(v: object, where: str, notes: list[str]) -> str:
    """An id as text: TikTok refuses the batch for a number. Raises InvalidEvent for what is no scalar id.

    An e-mail address goes, with a note. Digits stay, whatever they look like: they are what catalogues number by.
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


def _item(item: object, where: str, content_type: str, price: Price, notes: list[str]) -> dict[str, Any]:
    given = _given(item, where, notes)
    clean: dict[str, Any] = {}
    content_id = valid_id(given["content_id"], f"{where}.content_id", notes) if "content_id" in given else ""
    if content_id:
        clean["content_id"] = content_id
    else:
        notes.append(f"{where} has no content_id: it can't be matched to a catalogue")
    # TikTok's reference wants it beside the list, its tag templates put it into the items: both are accepted.
    with At(f"{where}.content_type"):
        clean["content_type"] = valid_content_type(given.get("content_type", content_type))
    for key in _TEXTS:
        text = free_text(given[key], f"{where}.{key}", notes) if key in given else ""
        if text:
            clean[key] = text
    if is_fraction(given.get("quantity")):
        # Cloth is sold by the metre, tea by weight. A unit price without its quantity would tell a wrong value.
        notes.append(f"{where}: quantity and price left out, for TikTok takes whole quantities only")
        return clean
    if "price" in given:
        with At(f"{where}.price"):
            unit_price = price(given["price"])
        if unit_price is not None:
            clean["price"] = unit_price
    if "quantity" in given:
        with At(f"{where}.quantity"):
            clean["quantity"] = count(given["quantity"], least=1)
    return clean


def _given(item: object, where: str, notes: list[str]) -> dict[str, object]:
    """What the caller filled in, from a mapping's keys or an object's attributes of the same names."""
    if isinstance(item, Mapping):
        unknown = [key for key in item if key not in CONTENT_KEYS]
        if unknown:
            notes.append(f"{where}: {len(unknown)} key(s) that TikTok does not know left out")
        values = {key: item.get(key) for key in CONTENT_KEYS}
    elif hasattr(item, "content_id"):
        values = {key: getattr(item, key, None) for key in CONTENT_KEYS}
    else:
        raise InvalidEvent(f"{where} must be a mapping or have a content_id, not {type(item).__name__}")
    return {key: value for key, value in values.items() if value is not None and value != ""}
