from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tiktok_attribution.events import Content
from tiktok_attribution.events.wire import properties
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


FINE = {"content_id": "fine", "price": 20, "quantity": 2}
BARE = {"content_id": "a", "content_type": "product"}


@pytest.mark.parametrize(
    ("part", "sent", "note"),
    [
        ({"content_id": True}, {"content_type": "product"}, "contents[1].content_id left out: must be text or a whole"),
        ({"content_id": 1.5}, {"content_type": "product"}, "contents[1].content_id left out: must be text or a whole"),
        ({"content_type": "thing"}, BARE, 'contents[1].content_type left out: must be "product" or "product_group"'),
        ({"content_name": ["x"]}, BARE, "contents[1].content_name left out: must be text, not list"),
        ({"price": "1,234.50"}, BARE, "contents[1].price left out: the amount has thousands commas"),
        ({"price": float("nan")}, BARE, "contents[1].price left out: an amount must be a finite number"),
        ({"quantity": True}, BARE, "contents[1]: quantity and price left out, for quantity must be a whole number"),
        ({"quantity": "two"}, BARE, "contents[1]: quantity and price left out, for quantity must be a whole number"),
        ({"quantity": Decimal("sNaN")}, BARE, "contents[1]: quantity and price left out, for quantity must be a whole"),
        ({"quantity": Decimal("1E+999999")}, BARE, "contents[1]: quantity and price left out, for quantity must be"),
        ({"quantity": 10**10}, BARE, "contents[1]: quantity and price left out, for quantity is too large"),
    ],
)
def test_a_bad_part_of_an_item_is_left_out_and_the_rest_goes(
    part: dict[str, object], sent: dict[str, object], note: str
) -> None:
    clean, said = properties({"value": 50, "currency": "EUR", "contents": [FINE, {"content_id": "a", **part}]})
    assert clean["value"] == 50
    assert clean["contents"][1] == sent
    assert said[0].startswith(note)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ({"price": -10}, "contents[1] left out: its price is negative, so it is no item that was bought"),
        ({"price": "-10.00", "quantity": 1}, "contents[1] left out: its price is negative"),
        ({"price": -10, "quantity": "many"}, "contents[1]: quantity and price left out"),
        ({"price": 5, "quantity": 0}, "contents[1] left out: its quantity is not positive"),
        ({"price": 5, "quantity": -2}, "contents[1] left out: its quantity is not positive"),
        ({"price": 5, "quantity": Decimal(-2)}, "contents[1] left out: its quantity is not positive"),
        ("sku", "contents[1] left out: an item is a mapping or has a content_id, not str"),
        (None, "contents[1] left out: an item is a mapping or has a content_id, not NoneType"),
    ],
)
def test_a_line_that_is_no_item_is_left_out_and_the_purchase_goes(line: object, note: str) -> None:
    clean, said = properties({"value": 50, "currency": "EUR", "contents": [FINE, line, FINE]})
    assert (clean["value"], len(clean["contents"])) == (50, 2)
    assert said[0].startswith(note)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ({"content_id": "voucher", "price": -10}, 30),
        ({"content_id": "returned", "price": 5, "quantity": -2}, 30),
        ({"content_id": "out of stock", "price": 5, "quantity": 0}, 40),
        ({"content_id": "both", "price": -5, "quantity": -2}, None),
        ({"content_id": "unknown", "price": "a lot"}, None),
        ({"content_id": "unknown", "price": 5, "quantity": "a few"}, None),
        ("no line", None),
    ],
)
def test_the_sum_counts_a_line_that_is_left_out_or_is_not_made(line: object, value: object) -> None:
    clean, _ = properties({"contents": [FINE, line]}, default_currency="EUR")
    assert clean.get("value") == value


def test_lines_that_are_worth_less_than_nothing_together_are_no_sale() -> None:
    with pytest.raises(InvalidEvent, match=r"^value: an amount can't be negative"):
        properties({"contents": [FINE, {"content_id": "voucher", "price": -100}]}, default_currency="EUR")


@pytest.mark.parametrize("quantity", [1.5, Decimal("0.25"), "1.5"])
def test_goods_sold_by_weight_cost_quantity_and_price_not_the_purchase(quantity: object) -> None:
    item = {"content_id": "cloth", "price": 20, "quantity": quantity}
    assert contents(item) == [{"content_id": "cloth", "content_type": "product"}]
    assert notes(item) == ["contents[0]: quantity and price left out, for TikTok takes whole quantities only"]


@pytest.mark.parametrize("quantity", [2, 2.0, "2", " 2 ", Decimal("2.00"), "2.0", "2."])
def test_a_quantity_is_an_integer(quantity: object) -> None:
    result = contents({"content_id": "a", "quantity": quantity})[0]["quantity"]
    assert (result, type(result)) == (2, int)


@pytest.mark.parametrize("given", ["sku", {"content_id": "sku"}, b"sku", 7])
def test_contents_that_are_no_list_are_left_out(given: object) -> None:
    clean, said = properties({"value": 5, "currency": "EUR", "contents": given})
    assert clean == {"value": 5, "currency": "EUR"}
    assert said == ["contents left out: they must be a list of items, each a mapping or a Content"]
