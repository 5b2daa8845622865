from __future__ import annotations

import json
import math
from decimal import Context, Decimal, Inexact, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.events.money import CURRENCIES, MAX_AMOUNT, amount, currency_code, total
from tiktok_attribution.exceptions import InvalidEvent


def test_tiktok_lists_62_currencies() -> None:
    assert len(CURRENCIES) == 62


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Decimal("19.90"), "19.9"),
        (Decimal("20.00"), "20"),
        (Decimal("-0.00"), "0"),
        (19.99, "19.99"),
        (0.1 + 0.2, "0.3"),
        (20.0, "20"),
        (0, "0"),
        (7, "7"),
        ("19.99", "19.99"),
        (" 19.50 ", "19.5"),
        ("1E+3", "1000"),
        (Decimal("0.12345678"), "0.123457"),
        (Decimal("1E-400"), "0"),
    ],
)
def test_an_amount_is_a_json_number(given: object, expected: str) -> None:
    assert json.dumps(amount(given)) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (True, "not true or false"),
        (None, "not NoneType"),
        ([1], "not list"),
        (-1, "can't be negative"),
        (-(10**30), "can't be negative"),
        (Decimal("-0.01"), "can't be negative"),
        ("-5", "can't be negative"),
        ("\N{MINUS SIGN}5", "can't be negative"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (Decimal("sNaN"), "finite"),
        (10**16, "too large"),
        (Decimal("1E+999999"), "too large"),
        ("9" * 40, "too large"),
        ("1,234.50", "thousands commas"),
        ("19,99", "decimal comma"),
        ("€19.99", "without currency"),
        ("19.99 EUR", "without currency"),
        ("1_000", "not a plain number"),
        ("٣", "not a plain number"),
        ("nan", "not a plain number"),
        ("", "empty text"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_reason(given: object, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        amount(given)


@pytest.mark.parametrize(
    ("given", "currency", "expected"),
    [(1999, "EUR", 19.99), ("2000", "USD", 20), (1999, "JPY", 1999), (1999, "KWD", 1.999), (5, "OMR", 0.005)],
)
def test_minor_units_are_divided_as_the_currency_says(given: object, currency: str, expected: float) -> None:
    assert amount(given, currency=currency, minor_units=True) == expected


@pytest.mark.parametrize(("given", "currency"), [("19.99", "EUR"), (1999, ""), (1999, "BGN")])
def test_minor_units_need_a_whole_number_and_a_listed_currency(given: object, currency: str) -> None:
    with pytest.raises(InvalidEvent, match="minor units"):
        amount(given, currency=currency, minor_units=True)


@pytest.mark.privacy
@pytest.mark.parametrize("text", ["jane@example.com", "+1 213 373 4253"])
def test_text_in_the_place_of_an_amount_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        amount(text)
    assert text not in str(refused.value)


@given(st.decimals() | st.floats() | st.integers() | st.text() | st.text("0123456789.,-+eE "))
def test_an_amount_is_finite_and_in_bounds_or_refused(value: object) -> None:
    try:
        result = amount(value)
    except InvalidEvent:
        return
    assert type(result) in (int, float)
    assert 0 <= result <= MAX_AMOUNT


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext(Context(prec=3, traps=[Inexact])):
        assert amount(Decimal("12345.67")) == 12345.67
        assert total([(12345.67, 3)]) == 37037.01


def test_a_total_is_exact_in_decimals() -> None:
    assert total([(0.1, 3), (19.99, 2)]) == 40.28


@pytest.mark.parametrize(("given", "expected"), [("EUR", "EUR"), (" eur ", "EUR"), ("usd", "USD")])
def test_a_currency_is_its_upper_case_code(given: object, expected: str) -> None:
    assert currency_code(given) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("ERU", 'did you mean "EUR"'),
        ("€", 'did you mean "EUR"'),
        ("euro", 'did you mean "EUR"'),
        ("BGN", "BGN is not in TikTok's list"),
        ("AMD", "AMD is not in TikTok's list"),
        ("", "three letters"),
        ("jane@example.com", "^the currency is not an ISO 4217 code of three letters, such as EUR$"),
        (None, "three letters"),
        (978, "three letters"),
    ],
)
def test_a_currency_that_is_not_listed_is_refused_with_its_reason(given: object, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        currency_code(given)
