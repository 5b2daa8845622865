"""What is refused, and what is remarked, in one row of `data`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.testing.samples import EMAIL, NOW, event
from tiktok_attribution.testing.event_rules import check_event
from tiktok_attribution.testing.faults import OURS, RefusedError
from tiktok_attribution.testing.remarks import Remark


def remarks_on(row: Any, *, refuse_unknown_currency: bool = False) -> list[str]:
    found: list[Remark] = []
    check_event(row, 3, web=True, refuse_unknown_currency=refuse_unknown_currency, now=NOW, remarks=found)
    return [remark.text for remark in found]


def refusal(row: Any, *, refuse_unknown_currency: bool = False) -> tuple[int | None, str]:
    with pytest.raises(RefusedError) as caught:
        remarks_on(row, refuse_unknown_currency=refuse_unknown_currency)
    return caught.value.answer.code, caught.value.answer.message


def with_properties(**changes: Any) -> dict[str, Any]:
    return event(properties={"value": 1, "currency": "EUR", **changes})


def with_item(**changes: Any) -> dict[str, Any]:
    return with_properties(contents=[{"content_id": "1"}, changes])


def with_user(**changes: Any) -> dict[str, Any]:
    return event(user={"ttclid": "E.C.P.1", **changes})


@pytest.mark.parametrize("event_id", [273196, 1.5, True, ["order-1"]])
def test_an_event_id_that_is_not_text_is_refused_in_the_wording_seen(event_id: Any) -> None:
    assert refusal(event(event_id=event_id)) == (40002, "Invalid value for event_id: not a valid string.")


def test_a_content_id_that_is_a_number_names_its_row_and_item() -> None:
    wording = "Batch.3.properties.contents.1.content_id: Not a valid string"
    assert refusal(with_item(content_id=7)) == (40002, wording)


@pytest.mark.parametrize("price", ["9.95", "(null)", None, True])
def test_a_price_that_is_no_number_is_refused_in_the_wording_seen(price: Any) -> None:
    assert refusal(with_item(price=price)) == (40000, "Invalid Price Field")


@pytest.mark.parametrize("key", ["email", "phone"])
@pytest.mark.parametrize("value", ["anna@example.org", "+4915112345678", ["a" * 63], "g" * 64])
def test_an_email_or_phone_that_is_not_hashed_is_40062_in_our_words(key: str, value: Any) -> None:
    code, message = refusal(with_user(**{key: value}))
    assert (code, message.startswith(OURS)) == (40062, True)


def test_a_refusal_of_an_email_does_not_repeat_it() -> None:
    assert "anna" not in refusal(with_user(email="anna@example.org"))[1]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("Purchase", id="row is text"),
        pytest.param(event(event=None), id="no event"),
        pytest.param(event(event=7), id="event is a number"),
        pytest.param(event(event="x" * 51), id="event over 50 characters"),
        pytest.param(event(event_time=None), id="no event_time"),
        pytest.param(event(event_time="1790000000"), id="event_time is text"),
        pytest.param(event(event_time=1790000000.5), id="event_time is a fraction"),
        pytest.param(event(event_time=1790000000000), id="event_time in milliseconds"),
        pytest.param(event(event_time=True), id="event_time is true"),
        pytest.param(event(event_time=-1), id="event_time before 1970"),
        pytest.param(event(page=None), id="no page"),
        pytest.param(event(page={"referrer": "https://a.example/"}), id="no page.url"),
        pytest.param(event(page="https://a.example/"), id="page is text"),
        pytest.param(event(user=[]), id="user is a list"),
        pytest.param(event(properties=[]), id="properties is a list"),
        pytest.param(event(limited_data_use="true"), id="limited_data_use is text"),
        pytest.param(with_properties(value="19.90"), id="value is text"),
        pytest.param(with_properties(value=float("inf")), id="value is infinite"),
        pytest.param(with_properties(value=True), id="value is true"),
        pytest.param(with_properties(currency=978), id="currency is a number"),
        pytest.param(with_properties(content_ids=[7]), id="content_ids of numbers"),
        pytest.param(with_properties(contents={"content_id": "1"}), id="contents is no list"),
        pytest.param(with_item(quantity="2"), id="quantity is text"),
        pytest.param(with_user(ip=2130706433), id="ip is a number"),
        pytest.param(with_user(external_id=42), id="external_id is a number"),
    ],
)
def test_a_wrong_type_is_refused_in_our_own_words(row: Any) -> None:
    code, message = refusal(row)
    assert (code, message.startswith(OURS)) == (40002, True)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(event(event="MySpecialOffer"), id="a custom name"),
        pytest.param(with_properties(colour="red"), id="a property of one's own"),
        pytest.param(with_properties(value=0), id="a value of nothing"),
        pytest.param(with_user(email="", phone=[]), id="empty keys"),
        pytest.param(with_user(email=[EMAIL, EMAIL]), id="several e-mails"),
        pytest.param(event(limited_data_use=True), id="limited data use"),
    ],
)
def test_accepted_without_a_remark(row: Any) -> None:
    assert remarks_on(row) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param(event(event="purchase"), "did you mean 'Purchase'", id="case of a standard name"),
        pytest.param(event(event="CompletePayment"), "turns it into Purchase", id="older name"),
        pytest.param(event(event="PlaceAnOrder"), "2027", id="name that ends"),
        pytest.param(event(event="Checkout"), "reserved", id="reserved name"),
        pytest.param(event(event="Großer Kauf"), "no valid custom name", id="custom name with a space"),
        pytest.param(event(event_id=None), "no event_id", id="no event_id"),
        pytest.param(event(properties=None), "without value and currency", id="purchase without value"),
        pytest.param(event(event="Lead", properties={"value": 1}), "without currency", id="no currency"),
        pytest.param(with_properties(currency="BGN"), "not in TikTok's list", id="currency not listed"),
        pytest.param(with_properties(value=-1), "negative", id="negative value"),
        pytest.param(with_properties(content_type="book"), "content_type", id="content_type"),
        pytest.param(event(event_time=int(NOW) - 29 * 86400), "28 days", id="old"),
        pytest.param(event(event_time=int(NOW) + 700), "ahead", id="future"),
        pytest.param(event(page={"url": "/thanks"}), "full address", id="address without a host"),
        pytest.param(with_user(external_id="42"), "external_id is not hashed", id="external_id not hashed"),
        pytest.param(with_user(email=EMAIL.upper()), "email is not hashed", id="hash in capitals"),
        pytest.param(with_user(ip="192.168.1.7"), "not a public address", id="private address"),
        pytest.param(with_user(ip="unknown"), "not a public address", id="no address"),
        pytest.param(event(user={"ip": "8.8.8.8"}), "nothing in user", id="nothing to match by"),
        pytest.param(
            with_user(email="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            "hash of an empty text",
            id="hash of nothing",
        ),
    ],
)
def test_accepted_with_a_remark(row: Any, words: str) -> None:
    (remark,) = remarks_on(row)
    assert words in remark


def test_a_currency_that_is_not_listed_is_refused_when_set_so() -> None:
    assert refusal(with_properties(currency="BGN"), refuse_unknown_currency=True)[0] == 40002
