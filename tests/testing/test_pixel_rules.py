"""What is refused, remarked and kept of a call that came from the browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.testing.samples import EMAIL, PIXEL, pixel_call
from tiktok_attribution.testing.faults import RefusedError
from tiktok_attribution.testing.pixel_rules import PixelCall, read_call


def read(raw: bytes, *, known_pixels: dict[str, str] | None = None) -> PixelCall:
    return read_call(raw, known_pixels=known_pixels, user_agent="Mozilla/5.0", ip="127.0.0.1")


def user_of(raw: bytes) -> Any:
    body = read(raw).body
    assert body is not None
    return body["user"]


def test_a_sound_call_earns_no_remark() -> None:
    assert read(pixel_call()).remarks == ()


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", pixel_call(pixel=None), pixel_call(pixel=7), pixel_call(event=None), pixel_call(event=7)],
)
def test_what_is_no_call_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError):
        read(raw)


def test_identify_keys_get_the_names_of_the_events_api() -> None:
    assert user_of(pixel_call(user={"phone_number": EMAIL, "sha256_email": EMAIL})) == {
        "phone": [EMAIL],
        "email": [EMAIL],
        "ip": "127.0.0.1",
        "user_agent": "Mozilla/5.0",
    }


@pytest.mark.privacy
@pytest.mark.parametrize("key", ["email", "phone_number", "external_id", "first_name"])
def test_what_was_not_hashed_is_not_kept(key: str) -> None:
    assert "anna@example.org" not in str(read(pixel_call(user={key: "anna@example.org"})))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(pixel_call(user={"email": "a@b.example"}), "email is not hashed", id="e-mail"),
        pytest.param(pixel_call(event_id=7), "not text", id="event_id is a number"),
        pytest.param(pixel_call(event_id=None), "third argument", id="no event_id"),
        pytest.param(pixel_call(event="addtocart"), "did you mean 'AddToCart'", id="case of the name"),
        pytest.param(pixel_call(properties={"value": "9", "currency": "EUR"}), "not a number", id="value"),
        pytest.param(pixel_call(properties={"value": 9, "currency": "XXX"}), "TikTok's list", id="currency"),
        pytest.param(pixel_call(type="remark", text="ttq has no method named buy"), "buy", id="from the page"),
    ],
)
def test_remarks(raw: bytes, words: str) -> None:
    (remark,) = read(raw).remarks
    assert words in remark.text


def test_a_pixel_without_a_token_is_remarked_where_tokens_are_known() -> None:
    (remark,) = read(pixel_call(), known_pixels={"C0OTHER": "x"}).remarks
    assert PIXEL in remark.text


def test_an_event_id_that_is_not_text_counts_as_none() -> None:
    body = read(pixel_call(event_id=7)).body
    assert body is not None
    assert body["event_id"] == ""


def test_a_page_view_needs_no_event_id() -> None:
    assert read(pixel_call(type="page", event="", event_id=None, properties={})).remarks == ()
