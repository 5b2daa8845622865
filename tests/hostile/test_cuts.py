"""At no limit does half an address or half a number slip through, wherever in the text it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tiktok_attribution.events.contents import valid_id
from tiktok_attribution.events.page_url import MAX_LENGTH, clean_address
from tiktok_attribution.events.properties import properties
from tiktok_attribution.events.sanitize import MARGIN, MAX_TEXT, free_text
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import reason
from tiktok_attribution.visitor.request_data import user_agent

pytestmark = [pytest.mark.hostile, pytest.mark.privacy]

EMAIL = "jane.q.smith@xmail.hereby.com"
PIECES = re.compile("jane|smith|xmail|hereb")
NUMBERS = (
    "+49 30 901820",
    "0049 151 12345678",
    "(0171) 123 45 67",
    "01 23 45 67 89",
    "+1 (212) 555-0123",
    "212-555-0123",
)
SEVERAL_DIGITS = re.compile(r"\d\D{0,3}\d")
ALLOWED = ("ttclid", "utm_*")

WITHOUT_EMAILS: dict[str, Callable[[str], str]] = {
    "free text": lambda text: free_text(text, "it", []),
    "search": lambda text: properties({"search_string": text})[0].get("search_string", ""),
    "content name": lambda text: properties({"contents": [{"content_id": "a", "content_name": text}]})[0]["contents"][
        0
    ].get("content_name", ""),
    "id": lambda text: valid_id(text, "it", []),
    "user agent": user_agent,
    "words of an error": lambda text: reason(InvalidEvent(text)),
}
WITHOUT_NUMBERS = {name: WITHOUT_EMAILS[name] for name in ("free text", "search", "content name")}


def around(limit: int, length: int) -> list[int]:
    """Where something of this length may begin that touches a limit, or the cut behind it."""
    return [begin for end in (limit, limit + MARGIN) for begin in range(end - length - 3, end + 3)]


def filled(length: int, *, blanks: bool) -> str:
    text = "tea " * length if blanks else "x" * length
    return text[: length - 1] + " "


@pytest.mark.parametrize("after", ["", " and so on" * 60, "x" * 900])
@pytest.mark.parametrize("blanks", [True, False])
@pytest.mark.parametrize("name", WITHOUT_EMAILS)
def test_no_half_of_an_email_address(name: str, blanks: bool, after: str) -> None:
    for begin in around(MAX_TEXT, len(EMAIL)):
        found = WITHOUT_EMAILS[name](filled(begin, blanks=blanks) + EMAIL + after)
        assert not PIECES.search(found), begin


@pytest.mark.parametrize("before", range(0, 60, 7))
def test_no_half_of_an_email_address_after_many_others_made_the_text_shorter(before: int) -> None:
    others = "bob@acme.test " * 90
    for begin in range(MAX_TEXT + MARGIN - 60, MAX_TEXT + MARGIN + 3):
        text = (others[: begin // 14 * 14] + "y" * (begin % 14 - 1) + " ")[:begin] + EMAIL + "z" * before
        for name, read in WITHOUT_EMAILS.items():
            assert not PIECES.search(read(text)), (name, begin)


@pytest.mark.parametrize("after", ["", " and so on" * 60])
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", WITHOUT_NUMBERS)
def test_no_half_of_a_phone_number(name: str, number: str, after: str) -> None:
    for begin in around(MAX_TEXT, len(number)):
        assert not SEVERAL_DIGITS.search(WITHOUT_NUMBERS[name](filled(begin, blanks=True) + number + after)), begin


@pytest.mark.parametrize("number", NUMBERS)
def test_no_half_of_a_phone_number_after_many_others_made_the_text_shorter(number: str) -> None:
    others = "+4930901820 " * 120
    for begin in range(MAX_TEXT + MARGIN - 40, MAX_TEXT + MARGIN + 3):
        text = (others[: begin // 12 * 12] + "tea tea tea tea ")[: begin - 1] + " " + number + " and so on" * 20
        assert not re.search(r"\d\D{0,3}\d", free_text(text, "it", [])), begin


def encoded(text: str, times: int) -> str:
    """Every character as an escape: the longest form that a browser could have sent."""
    for _ in range(times):
        text = "".join(f"%{byte:02X}" for byte in text.encode()) if times == 1 else quote(text, safe="")
    return text


@pytest.mark.parametrize("limit", [MAX_LENGTH, 4096])
@pytest.mark.parametrize("secret", [EMAIL, *NUMBERS[:3]])
@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("place", ["path", "utm", "unknown parameter"])
def test_no_half_in_an_address(limit: int, secret: str, times: int, place: str) -> None:
    written = encoded(secret, times)
    beginning = {
        "path": "https://shop.test/",
        "utm": "https://shop.test/t/?utm_a=",
        "unknown parameter": "https://shop.test/?x=",
    }
    for begin in range(limit - len(written) - 3, limit + 3):
        for fill in ("t/", "tea-"):
            before = beginning[place] + fill * 5000
            end = before[: begin - 1] + "/" if place == "path" else before[: begin - 1] + "-"
            found = clean_address(end + written + "/next/" * 300, ALLOWED)
            assert not PIECES.search(found), begin
            assert not SEVERAL_DIGITS.search(found), begin


def test_a_long_address_whose_segment_the_first_cut_broke_loses_that_segment() -> None:
    address = "https://shop.test/t/" + "jane.doe" * 1000 + "%40example.com"
    assert clean_address(address, ALLOWED) == "https://shop.test/t/"
