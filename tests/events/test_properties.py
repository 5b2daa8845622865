from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.events.wire import properties
from tiktok_attribution.exceptions import InvalidEvent


def clean(raw: dict[str, Any], **options: Any) -> dict[str, Any]:
    return properties(raw, **options)[0]


def notes(raw: dict[str, Any], **options: Any) -> list[str]:
    return properties(raw, **options)[1]


def test_keys_come_in_one_order_whatever_the_callers() -> None:
    raw = {
        "theme": "dark",
        "description": "d",
        "currency": "EUR",
        "order_id": 1,
        "value": 2,
        "contents": [{}],
    }
    order = ["value", "currency", "content_type", "contents", "order_id", "description", "theme"]
    assert list(clean(raw)) == list(clean(dict(reversed(raw.items())))) == order


@pytest.mark.parametrize("empty", [None, "", "  "])
@pytest.mark.parametrize("key", ["value", "currency", "contents", "content_ids", "description", "order_id", "own"])
def test_what_is_not_given_is_not_sent(key: str, empty: str | None) -> None:
    assert properties({key: empty}) == ({}, [])


def test_value_and_currency_go_together() -> None:
    assert clean({"value": Decimal("19.90"), "currency": "eur"}) == {"value": 19.9, "currency": "EUR"}


def test_a_value_without_currency_takes_the_default_one() -> None:
    assert clean({"value": 5}, default_currency="USD") == {"value": 5, "currency": "USD"}


def test_a_value_without_any_currency_is_left_out_and_noted() -> None:
    assert properties({"value": 5}) == ({}, ["value left out: it has no currency, and DEFAULT_CURRENCY is not set"])


def test_a_value_in_an_unlisted_currency_is_left_out_and_noted() -> None:
    sent, said = properties({"value": 5, "currency": "BGN", "order_id": "7"}, default_currency="EUR")
    assert sent == {"order_id": "7"}
    assert said == ["value and currency left out: BGN is not in TikTok's list of 62 currencies"]


def test_an_unlisted_default_currency_is_no_matter_for_an_event_without_money() -> None:
    assert properties({"search_string": "mugs"}, default_currency="BGN") == ({"search_string": "mugs"}, [])


@pytest.mark.parametrize("options", [{}, {"value_in_minor_units": True}])
@pytest.mark.parametrize("currency", ["EUR", "BGN"])
@pytest.mark.parametrize("value", [-1, "-1", "-1,000.00", float("nan"), "a lot", True])
def test_a_bad_value_is_refused_in_every_currency(value: object, currency: str, options: dict[str, bool]) -> None:
    with pytest.raises(InvalidEvent, match=r"^value: "):
        properties({"value": value, "currency": currency}, **options)


def test_a_value_in_minor_units_is_converted() -> None:
    assert clean({"value": 1999, "currency": "EUR"}, value_in_minor_units=True)["value"] == 19.99


def test_minor_units_of_an_unlisted_currency_are_left_out_and_noted() -> None:
    raw = {"currency": "BGN", "contents": [{"content_id": "a", "price": 5}, {"content_id": "b", "price": 5}]}
    sent, said = properties(raw, value_in_minor_units=True)
    assert "price" not in sent["contents"][0]
    assert said[1:] == ["amounts in minor units left out: they need a currency that TikTok lists"]


def test_a_missing_value_is_the_sum_of_the_items() -> None:
    items = [{"content_id": "a", "price": "0.10", "quantity": 3}, {"content_id": "b", "price": 20}]
    assert clean({"contents": items}, default_currency="EUR")["value"] == 20.3


def test_a_sum_of_minor_units_is_converted_once() -> None:
    items = [{"content_id": "a", "price": 1050, "quantity": 2}]
    assert clean({"contents": items, "currency": "EUR"}, value_in_minor_units=True)["value"] == 21


def test_a_value_that_is_given_wins_over_the_sum() -> None:
    raw = {"value": 18, "contents": [{"content_id": "a", "price": 20}]}
    assert clean(raw, default_currency="EUR")["value"] == 18


def test_items_of_which_one_has_no_price_make_no_value_but_name_their_currency() -> None:
    raw = {"contents": [{"content_id": "a", "price": 20}, {"content_id": "b"}]}
    sent = clean(raw, default_currency="EUR")
    assert (sent.get("value"), sent["currency"]) == (None, "EUR")


def test_a_sum_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidEvent, match=r"^value: the amount is too large"):
        properties({"contents": [{"price": 10**15, "quantity": 10**6}]}, default_currency="EUR")


@pytest.mark.parametrize("event", ["Purchase", "PlaceAnOrder"])
def test_revenue_without_value_is_noted(event: str) -> None:
    assert notes({}, event=event) == [
        f"{event} without value and currency: TikTok counts it, but not in revenue and ROAS"
    ]


@pytest.mark.parametrize(("raw", "event"), [({"value": 0, "currency": "EUR"}, "Purchase"), ({}, "Lead")])
def test_an_event_that_has_what_it_needs_has_no_note(raw: dict[str, Any], event: str) -> None:
    assert notes(raw, event=event) == []


def test_the_content_type_is_set_for_the_event_and_each_item() -> None:
    sent = clean({"contents": [{"content_id": "a"}]})
    assert (sent["content_type"], sent["contents"][0]["content_type"]) == ("product", "product")


def test_a_content_type_of_the_event_holds_for_its_items() -> None:
    sent = clean({"content_type": "product_group", "contents": [{"content_id": "a"}]})
    assert sent["contents"][0]["content_type"] == "product_group"


def test_a_content_type_that_all_items_share_holds_for_the_event() -> None:
    sent = clean({"contents": [{"content_id": "a", "content_type": "product_group"}]})
    assert sent["content_type"] == "product_group"


def test_an_unknown_content_type_is_left_out() -> None:
    said = ['content_type left out: must be "product" or "product_group"']
    assert properties({"content_type": "course"}) == ({}, said)


@pytest.mark.parametrize("ids", [[7, "b"], (7, "b"), iter([7, "b"])])
def test_content_ids_are_sent_as_text_when_there_are_no_contents(ids: object) -> None:
    assert clean({"content_ids": ids}) == {"content_type": "product", "content_ids": ["7", "b"]}


def test_one_content_id_may_stand_alone() -> None:
    assert clean({"content_ids": "a"})["content_ids"] == ["a"]


def test_content_ids_beside_contents_are_left_out_and_noted() -> None:
    sent, said = properties({"content_ids": ["a"], "contents": [{"content_id": "a"}]})
    assert "content_ids" not in sent
    assert said == ["content_ids left out: the contents carry the ids"]


@pytest.mark.parametrize(
    ("ids", "start"),
    [(7, "content_ids left out"), ({"a": 1}, "content_ids left out"), ([1.5], "content_ids[0] left out")],
)
def test_content_ids_that_are_none_are_left_out(ids: object, start: str) -> None:
    sent, said = properties({"content_ids": ids})
    assert sent == {}
    assert [note[: len(start)] for note in said] == [start]


def test_a_bad_content_id_leaves_the_others() -> None:
    assert clean({"content_ids": ["a", 1.5, "b"]})["content_ids"] == ["a", "b"]


def test_query_is_sent_by_its_current_name() -> None:
    assert clean({"query": "mugs"}) == {"search_string": "mugs"}


def test_search_string_wins_over_query() -> None:
    assert clean({"query": "old", "search_string": "new"}) == {"search_string": "new"}


@pytest.mark.parametrize("key", ["order_id", "shop_id", "content_id", "description"])
def test_numbers_that_tiktok_wants_as_text_become_text(key: str) -> None:
    assert clean({key: 42}) == {key: "42"}


@pytest.mark.parametrize(("given", "reason"), [(1.5, "whole number"), (-1, "at least 0")])
def test_num_items_that_is_no_count_is_left_out(given: object, reason: str) -> None:
    sent, (note,) = properties({"num_items": given})
    assert sent == {}
    assert note.startswith("num_items left out: ")
    assert reason in note


def test_a_predicted_value_is_a_number_in_major_units() -> None:
    assert clean({"predicted_ltv": "120.50"}, value_in_minor_units=True) == {"predicted_ltv": 120.5}


def test_a_predicted_value_that_is_none_is_left_out() -> None:
    assert properties({"predicted_ltv": -1}) == ({}, ["predicted_ltv left out: an amount can't be negative"])


def test_long_text_is_cut_and_noted() -> None:
    sent, said = properties({"description": "x" * 3000})
    assert sent == {"description": "x" * 1000}
    assert said == ["description was cut to 1000 characters"]


def test_text_is_one_well_formed_line() -> None:
    assert clean({"description": " a\r\nb\x00c\ud800 "}) == {"description": "a b c\ufffd"}


@pytest.mark.privacy
@pytest.mark.parametrize("key", ["search_string", "description", "own"])
def test_an_email_in_a_text_is_left_out_and_noted(key: str) -> None:
    sent, said = properties({key: "find jane.doe+x@example.co.uk please"})
    assert sent == {key: "find - please"}
    assert said == [f"{key}: an e-mail address was left out"]


@pytest.mark.privacy
def test_an_email_in_an_items_name_is_left_out() -> None:
    sent = clean({"contents": [{"content_id": "a", "content_name": "Card for jane@example.com"}]})
    assert sent["contents"][0]["content_name"] == "Card for -"


@pytest.mark.privacy
@pytest.mark.parametrize("key", ["email", "Phone_Number", "first_name", "sha256_email", "customer-email"])
def test_a_personal_key_is_left_out_and_noted(key: str) -> None:
    sent, said = properties({key: "Jane"})
    assert sent == {}
    assert said == [f"{key} left out: personal data belongs into user, where it is hashed"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("dark", "dark"),
        (True, True),
        (-7, -7),
        (1.5, 1.5),
        (Decimal("1.50"), 1.5),
        (Decimal("2.0"), 2),
        (date(2026, 5, 1), "2026-05-01"),
        (["a", 1, False], ["a", 1, False]),
        (("a",), ["a"]),
        ([], []),
    ],
)
def test_own_keys_hold_scalars_and_lists_of_scalars(given: object, sent: object) -> None:
    assert clean({"own": given}) == {"own": sent}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"a": 1}, "own left out: must be text, a number, true, false or a list of these, not dict"),
        (object(), "own left out: must be text"),
        (b"x", "own left out: must be text"),
        (float("inf"), "own left out: must be a finite number"),
        (Decimal("sNaN"), "own left out: must be a finite number"),
        (2**53, "own left out: is too large for a number in a browser"),
    ],
)
def test_an_own_key_that_json_or_the_browser_can_not_hold_is_left_out(given: object, reason: str) -> None:
    sent, (note,) = properties({"own": given, "order_id": "7"})
    assert sent == {"order_id": "7"}
    assert note.startswith(reason)


def test_a_nested_entry_of_an_own_list_is_left_out() -> None:
    sent, (note,) = properties({"own": ["a", ["b"], "c"]})
    assert sent == {"own": ["a", "c"]}
    assert note.startswith("own[1] left out: must be text")


@pytest.mark.parametrize("key", [7, "", "__proto__", "1st", "a<b", "x" * 101])
def test_a_property_name_that_is_none_is_left_out(key: Any) -> None:
    sent, (note,) = properties({key: 1, "order_id": "7"})
    assert sent == {"order_id": "7"}
    assert note.startswith("property name ")


@pytest.mark.privacy
def test_an_address_in_the_place_of_a_property_name_is_not_repeated() -> None:
    sent, said = properties({"jane@example.com": 1})
    assert "jane" not in f"{sent} {said}"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=20)
ITEM_KEYS = ["content_id", "content_type", "content_name", "price", "quantity", "x"]
ITEMS = st.dictionaries(st.sampled_from(ITEM_KEYS), SCALARS)
KEYS = [
    "value",
    "currency",
    "content_type",
    "content_ids",
    "num_items",
    "order_id",
    "query",
    "email",
    "own",
    "x",
]


@given(
    raw=st.dictionaries(st.sampled_from(KEYS), SCALARS | st.lists(SCALARS, max_size=3)),
    items=st.none() | st.lists(ITEMS, max_size=3),
    currency=st.sampled_from(["", "EUR", "JPY", "BGN"]),
    minor_units=st.booleans(),
)
def test_whatever_comes_in_is_refused_or_leaves_as_the_protocol_says(
    raw: dict[str, Any], items: list[dict[str, Any]] | None, currency: str, minor_units: bool
) -> None:
    try:
        sent, _ = properties({**raw, "contents": items}, default_currency=currency, value_in_minor_units=minor_units)
    except InvalidEvent:
        return
    assert json.loads(json.dumps(sent, allow_nan=False)) == sent
    assert "value" not in sent or (type(sent["value"]) in (int, float) and len(sent["currency"]) == 3)
    assert all(isinstance(entry, str) for entry in sent.get("content_ids", []))
    for item in sent.get("contents", []):
        assert isinstance(item.get("content_id", ""), str)
        assert type(item.get("quantity", 1)) is int
        assert type(item.get("price", 1)) in (int, float)


class Money:
    """As py-moneyed, django-money and `prices` make it, as far as it is read."""

    def __init__(self, amount: object, currency: object) -> None:
        self.amount, self.currency = amount, currency


class Currency:
    """py-moneyed's."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __str__(self) -> str:
        return self.code


@pytest.mark.parametrize("currency", ["EUR", Currency("EUR")])
@pytest.mark.parametrize("default", ["", "USD"])
def test_a_money_object_is_an_amount_and_names_its_currency(currency: object, default: str) -> None:
    sent = clean({"value": Money(Decimal("19.90"), currency)}, default_currency=default, value_in_minor_units=True)
    assert sent == {"value": 19.9, "currency": "EUR"}


def test_pymoneyed_is_understood() -> None:
    moneyed = pytest.importorskip("moneyed")
    money = moneyed.Money("19.90", "EUR")
    assert clean({"value": money}) == clean({"value": money, "currency": money.currency})
    assert clean({"value": money}) == {"value": 19.9, "currency": "EUR"}


def test_prices_that_are_money_objects_name_the_currency_of_the_sum() -> None:
    items = [{"content_id": "a", "price": Money(Decimal("2.50"), "CHF"), "quantity": 2}]
    sent = clean({"contents": items}, default_currency="EUR")
    assert (sent["value"], sent["currency"], sent["contents"][0]["price"]) == (5, "CHF", 2.5)


def test_a_value_in_another_currency_than_the_events_is_refused() -> None:
    with pytest.raises(InvalidEvent, match=r"^value: its currency is not the event's, EUR"):
        properties({"value": Money(5, "USD"), "currency": "EUR"})


def test_a_price_in_another_currency_than_the_events_is_left_out() -> None:
    item = {"content_id": "a", "price": Money(5, "USD")}
    sent, said = properties({"value": 5, "currency": "EUR", "contents": [item]})
    assert (sent["value"], "price" in sent["contents"][0]) == (5, False)
    assert said == ["contents[0].price left out: its currency is not the event's, EUR"]


def test_a_negative_money_object_is_a_negative_value() -> None:
    with pytest.raises(InvalidEvent, match=r"^value: an amount can't be negative"):
        properties({"value": Money(-5, "EUR")})


@pytest.mark.parametrize("name", ["Ersatzteil 0986494596", "Bosch 0 986 494 596", "Filter 0451103318", "0049151123456"])
@pytest.mark.parametrize("key", ["content_name", "content_category", "brand"])
def test_a_part_number_stays_in_what_a_catalogue_calls_a_thing(key: str, name: str) -> None:
    assert properties({key: name}) == ({key: name}, [])
    item = {"content_id": "a", key: name}
    assert properties({"contents": [item]})[0]["contents"][0][key] == name


@pytest.mark.privacy
@pytest.mark.parametrize(
    "number", ["+49 171 1234567", "+491711234567", "(0171) 123 45 67", "555-010-0199", "0049 171 1234567"]
)
def test_a_written_out_phone_number_in_a_name_is_left_out(number: str) -> None:
    sent, said = properties({"content_name": f"Sign for {number}"})
    assert sent == {"content_name": "Sign for -"}
    assert said == ["content_name: a phone number was left out"]


@pytest.mark.privacy
def test_a_national_number_in_what_a_visitor_types_is_still_left_out() -> None:
    assert clean({"search_string": "call 01711234567"}) == {"search_string": "call -"}


def test_an_event_that_is_too_large_for_a_request_has_fewer_contents_and_its_whole_value() -> None:
    items = [{"content_id": f"{n}", "content_name": "n" * 900, "price": 1} for n in range(2000)]
    sent, (note,) = properties({"contents": items}, default_currency="EUR")
    assert sent["value"] == 2000
    assert 500 < len(sent["contents"]) < 1000
    assert len(json.dumps(sent)) < 900_000
    assert note == f"contents: the last {2000 - len(sent['contents'])} of 2000 left out, for a request has 1 MB"


def test_ids_that_are_too_many_for_a_request_are_fewer() -> None:
    sent, (note,) = properties({"content_ids": ["i" * 900] * 2000})
    assert len(json.dumps(sent)) < 900_000
    assert note.startswith("content_ids: the last ")


def test_the_note_on_lost_revenue_comes_first() -> None:
    said = notes({"value": 5, "own": {"a": 1}}, event="Purchase")
    assert said[0] == "Purchase without value and currency: TikTok counts it, but not in revenue and ROAS"
