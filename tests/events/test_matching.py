"""Matching keys as bits, and the number that an event is found by."""

from __future__ import annotations

from dataclasses import fields

from tiktok_attribution.events import User
from tiktok_attribution.events.hashing import MATCH_KEYS, email_sha256, keys_of_bits, match_bits, search_key

EMAIL = email_sha256("buyer@shop.example") or ""


def test_every_key_of_a_user_has_a_bit() -> None:
    assert set(MATCH_KEYS) == {field.name for field in fields(User)}


def test_the_bits_say_which_keys_are_there() -> None:
    bits = match_bits(User(email=(EMAIL,), ip="192.0.2.7", country="de"))

    assert keys_of_bits(bits) == ("email", "ip", "country")


def test_nobody_has_no_bits() -> None:
    assert match_bits(User()) == 0
    assert keys_of_bits(0) == ()


def test_the_bits_fit_their_column() -> None:
    assert (1 << len(MATCH_KEYS)) - 1 <= 32_767


def test_the_search_key_is_a_number_that_every_database_takes() -> None:
    for digest in ("f" * 64, "0" * 64, "7f" * 32, "80" * 32, EMAIL):
        key = search_key(digest)
        assert key is not None
        assert -(2**63) <= key < 2**63


def test_no_hash_has_no_search_key() -> None:
    assert search_key("") is None
