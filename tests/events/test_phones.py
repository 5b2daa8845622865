"""Phone numbers in text that people typed are cut out; what only looks a little like one stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.events.page_url import clean_address
from tiktok_attribution.events.properties import properties
from tiktok_attribution.events.sanitize import free_text, without_phones

pytestmark = pytest.mark.privacy


@pytest.mark.parametrize(
    "number",
    [
        "+49 30 901820",
        "+4915112345678",
        "0049 151 12345678",
        "+1 (212) 555-0123",
        "+44 20 7946 0958",
        "030 901820",
        "0171/1234567",
        "(0171) 123 45 67",
        "01 23 45 67 89",
        "01711234567",
        "(212) 555-0123",
        "212-555-0123",
        "212.555.0123",
    ],
)
def test_a_number_is_cut_out_and_reported(number: str) -> None:
    notes: list[str] = []
    text = free_text(f"call {number} please", "search_string", notes)
    assert text == "call - please"
    assert notes == ["search_string: a phone number was left out"]


@pytest.mark.parametrize(
    "text",
    [
        "Morning Sencha 2024",
        "4006381333931",
        "0712345678911",
        "size 38/40 42",
        "1,299.00 EUR",
        "2026-11-25 19:30",
        "order 20261125-0001",
        "iPhone 15 Pro 256",
        "ISO 9001:2015",
        "192.168.0.1",
        "3.14159265",
        "",
    ],
)
def test_other_digits_stay(text: str) -> None:
    assert without_phones(text) == (text, 0)


@given(st.text(alphabet="0123456789 +-()/.a", max_size=60))
def test_no_text_raises(text: str) -> None:
    without_phones(text)


def test_every_text_of_an_event_is_looked_through() -> None:
    given_ = "call +4915112345678"
    found, notes = properties(
        {
            "search_string": given_,
            "description": given_,
            "own": given_,
            "list": [given_],
            "contents": [{"content_id": "a", "content_name": given_, "brand": given_, "content_category": given_}],
        }
    )
    assert "15112345678" not in repr(found)
    assert len(notes) == 7


def test_addresses_are_looked_through_but_not_the_click_id() -> None:
    address = "https://a.example/t/+4915112345678/x?utm_term=%2B4915112345678&utm_id=7&ttclid=01711234567"
    assert clean_address(address, ["ttclid", "utm_*"]) == "https://a.example/t/-/x?utm_id=7&ttclid=01711234567"
