from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tiktok_attribution.events import Content
from tiktok_attribution.events.payload import properties
from tiktok_attribution.exceptions import InvalidEvent


def contents(*items: object, **options: Any) -> list[dict[str, Any]]:
    clean, _ = properties({"contents": list(items)}, default_currency="EUR", **options)
    result: list[dict[str, Any]] = clean["contents"]
    return result


def notes(*items: object) -> list[str]:
    return properties({"contents": list(items)}, default_currency="EUR")[1]


class Line:
    """A model instance, as far as contents are concerned."""

    content_id = 7
    price = Decimal("2.50")
    quantity = 2
    colour = "red"


def test_an_item_is_sent_in_the_order_and_types_of_the_protocol() -> None:
    item = {"quantity": "2", "price": "19.99", "content_name": " Mug ", "content_id": 7}
    assert list(contents(item)[0].items()) == [
        ("content_id", "7"),
        ("content_type", "product"),
        ("content_name", "Mug"),
        ("price", 19.99),
        ("quantity", 2),
    ]


def test_an_object_with_the_attributes_is_an_item() -> None:
    expected = {"content_id": "7", "content_type": "product", "price": 2.5, "quantity": 2}
    assert contents(Line()) == [expected] == contents(Content(content_id=7, price=Decimal("2.5"), quantity=2))


def test_a_generator_of_items_is_a_list_of_items() -> None:
    clean, _ = properties({"contents": (item for item in [{"content_id": "a"}, {"content_id": "b"}])})
    assert [item["content_id"] for item in clean["contents"]] == ["a", "b"]


def test_a_uuid_is_an_id() -> None:
    text = "3f2b8c1e-7a54-4d0e-9b1a-0c5d6e7f8a9b"
    assert contents({"content_id": UUID(text)})[0]["content_id"] == text


@pytest.mark.parametrize("missing", [{}, {"content_id": None}, {"content_id": ""}, {"content_id": "  "}])
def test_an_item_without_id_is_sent_and_noted(missing: dict[str, Any]) -> None:
    item = {"content_name": "Mug", **missing}
    assert contents(item) == [{"content_type": "product", "content_name": "Mug"}]
    assert notes({"content_id": 1}, item) == ["contents[1] has no content_id: it can't be matched to a catalogue"]


def test_keys_that_tiktok_does_not_know_are_left_out_and_noted() -> None:
    item = {"content_id": "a", "colour": "red", "size": "L"}
    assert contents(item) == [{"content_id": "a", "content_type": "product"}]
    assert notes(item) == ["contents[0]: 2 key(s) that TikTok does not know left out"]


def test_prices_in_minor_units_are_converted() -> None:
    assert contents({"content_id": "a", "price": 1999}, value_in_minor_units=True)[0]["price"] == 19.99


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"content_id": True}, r"^contents\[1\]\.content_id must be text or a whole number, not bool"),
        ({"content_id": 1.5}, r"^contents\[1\]\.content_id must be text or a whole number, not float"),
        ({"content_type": "thing"}, r'^contents\[1\]\.content_type: must be "product" or "product_group"'),
        ({"content_name": ["x"]}, r"^contents\[1\]\.content_name must be text, not list"),
        ({"price": "1,234.50"}, r"^contents\[1\]\.price: the amount has thousands commas"),
        ({"price": -1}, r"^contents\[1\]\.price: an amount can't be negative"),
        ({"price": float("nan")}, r"^contents\[1\]\.price: an amount must be a finite number"),
        ({"quantity": 0}, r"^contents\[1\]\.quantity: must be at least 1"),
        ({"quantity": -2}, r"^contents\[1\]\.quantity: must be at least 1"),
        ({"quantity": Decimal(-2)}, r"^contents\[1\]\.quantity: must be at least 1"),
        ({"quantity": True}, r"^contents\[1\]\.quantity: must be a whole number"),
        ({"quantity": "two"}, r"^contents\[1\]\.quantity: must be a whole number"),
        ({"quantity": Decimal("sNaN")}, r"^contents\[1\]\.quantity: must be a whole number"),
        ({"quantity": Decimal("1E+999999")}, r"^contents\[1\]\.quantity: must be a whole number"),
        ({"quantity": 10**10}, r"^contents\[1\]\.quantity: is too large"),
        ("sku", r"^contents\[1\] must be a mapping or have a content_id, not str"),
        (None, r"^contents\[1\] must be a mapping or have a content_id, not NoneType"),
    ],
)
def test_a_bad_item_is_refused_with_index_and_key(item: object, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        contents({"content_id": "fine"}, item)


@pytest.mark.parametrize("quantity", [1.5, Decimal("0.25")])
def test_goods_sold_by_weight_cost_quantity_and_price_not_the_purchase(quantity: object) -> None:
    item = {"content_id": "cloth", "price": 20, "quantity": quantity}
    assert contents(item) == [{"content_id": "cloth", "content_type": "product"}]
    assert notes(item) == ["contents[0]: quantity and price left out, for TikTok takes whole quantities only"]


@pytest.mark.parametrize("quantity", [2, 2.0, "2", " 2 ", Decimal("2.00")])
def test_a_quantity_is_an_integer(quantity: object) -> None:
    result = contents({"content_id": "a", "quantity": quantity})[0]["quantity"]
    assert (result, type(result)) == (2, int)


@pytest.mark.parametrize("given", ["sku", {"content_id": "sku"}, b"sku", 7])
def test_contents_that_are_no_list_are_refused(given: object) -> None:
    with pytest.raises(InvalidEvent, match="contents must be a list of items"):
        properties({"contents": given})
