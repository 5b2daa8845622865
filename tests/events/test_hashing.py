from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.events import hashing
from tiktok_attribution.events.types import MAX_VALUES, SHA256_OF_NOTHING

HASHERS = [
    hashing.email_sha256,
    hashing.phone_sha256,
    hashing.external_id_sha256,
    hashing.name_sha256,
    hashing.zip_sha256,
]
HEX64 = st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("jane@example.com")


class PhoneField:
    """As libraries of phone fields hand a number over."""

    def __str__(self) -> str:
        return "+12133734253"


@pytest.mark.parametrize("hasher", HASHERS)
@given(digest=HEX64)
def test_hashing_a_hash_changes_nothing_but_its_case(hasher: Any, digest: str) -> None:
    assert hasher(digest) == hasher(hasher(digest)) == digest.lower()


@pytest.mark.privacy
@pytest.mark.parametrize("hasher", HASHERS)
@given(value=st.text() | st.none() | st.booleans() | st.binary() | st.integers() | st.lists(st.text()))
def test_whatever_comes_in_a_hash_or_nothing_comes_out(hasher: Any, value: object) -> None:
    result = hasher(value)
    assert result is None or (re.fullmatch("[0-9a-f]{64}", result) and result != SHA256_OF_NOTHING)


@pytest.mark.privacy
@pytest.mark.parametrize("hasher", HASHERS)
@pytest.mark.parametrize("value", ["\ud800jane@example.com", Unprintable(), b"jane@example.com", 1.5, True, []])
def test_an_invalid_value_is_dropped_and_raises_nothing(hasher: Any, value: object) -> None:
    assert hasher(value) is None


@pytest.mark.parametrize(
    "text",
    [
        "a@b",
        "@example.com",
        "jane@",
        "a@b@example.com",
        "Jane <jane@example.com>",
        "a@x.com,b@x.com",
        "a@.com",
    ],
)
def test_what_is_no_single_address_is_no_email(text: str) -> None:
    assert hashing.email_sha256(text) is None


def test_a_pasted_byte_order_mark_does_not_change_an_email() -> None:
    assert hashing.email_sha256("\ufefftest@test.com\u200b") == hashing.email_sha256("test@test.com")


@pytest.mark.parametrize(
    ("given", "region", "number"),
    [
        ("06 698 12345", "IT", "+390669812345"),
        ("+39 06 69812345", "", "+390669812345"),
        ("0011 44 20 7946 0958", "AU", "+442079460958"),
        ("0044 20 7946 0958", "US", "+442079460958"),
        ("0044 20 7946 0958", "KR", "+442079460958"),
        ("020 7946 0958", "gb", "+442079460958"),
        ("\u202a+1 213 373 4253\u202c", "", "+12133734253"),
        (PhoneField(), "", "+12133734253"),
        (12133734253, "US", "+12133734253"),
        ("+123456789012345", "", "+123456789012345"),
    ],
)
def test_a_phone_becomes_e164(given: object, region: str, number: str) -> None:
    assert hashing.phone_sha256(given, region) == sha256(number)


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ("3734253", "US"),  # a local number: which city is unknown
        ("39 06 69812345", "US"),  # Italian, but nothing says so
        ("020 7946 0958", "UK"),  # no region of that name
        ("+1234567890123456", ""),
        ("+999 123 456 789", ""),
        ("call me", "US"),
        ("1" * 600, "US"),
    ],
)
def test_a_phone_that_would_be_a_guess_is_dropped(given: str, region: str) -> None:
    assert hashing.phone_sha256(given, region) is None


def test_names_lose_their_punctuation_in_every_script() -> None:
    assert hashing.name_sha256("O\u2019Brien \u2013 Smith") == sha256("obriensmith")


def test_full_width_postal_codes_are_folded() -> None:
    assert hashing.zip_sha256("\uff11\uff10\uff10\uff0d\uff10\uff10\uff10\uff11") == sha256("1000001")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("São Paulo", "saopaulo"),
        ("New York", "newyork"),
        ("US", "us"),
        ("東京", ""),
        (None, ""),
        ("Gießen", "giessen"),
    ],
)
def test_places_are_lower_case_ascii(given: object, expected: str) -> None:
    assert hashing.place(given) == expected


def test_a_uuid_and_its_text_are_the_same_external_id() -> None:
    text = "3f2b8c1e-7a54-4d0e-9b1a-0c5d6e7f8a9b"
    assert hashing.external_id_sha256(UUID(text)) == hashing.external_id_sha256(text)


def test_many_values_are_hashed_once_each_in_order() -> None:
    given = ["b@example.com", "nonsense", " A@example.com", "B@example.com"]
    expected = (sha256("b@example.com"), sha256("a@example.com"))
    assert hashing.hash_many(given, hashing.email_sha256) == expected


@pytest.mark.parametrize("value", ["a@example.com", ["a@example.com"], ("a@example.com",)])
def test_one_value_may_stand_alone_or_in_a_list(value: object) -> None:
    assert hashing.hash_many(value, hashing.email_sha256) == (sha256("a@example.com"),)


@pytest.mark.parametrize("value", [None, "", [], [None], date(2026, 1, 1)])
def test_nothing_usable_makes_no_hashes(value: object) -> None:
    assert hashing.hash_many(value, hashing.email_sha256) == ()


def test_no_more_hashes_are_made_than_are_sent() -> None:
    assert len(hashing.hash_many(range(1000), hashing.external_id_sha256)) == MAX_VALUES
