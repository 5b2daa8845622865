from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError

from tiktok_attribution.events.hashing import email_sha256, external_id_sha256, phone_sha256
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.matching import hashed, identified

PERSON = SimpleNamespace(email="Jane@Example.com", phone="0151 12345678", mobile="+49 151 87654321", pk=7, none=None)


def test_mapped_keys_are_read_and_hashed() -> None:
    user, notes = identified(PERSON, {"email": "email", "phone": ["none", "mobile"], "external_id": "pk"})
    assert (user.email, user.phone) == ((email_sha256("jane@example.com"),), (phone_sha256("+4915187654321"),))
    assert user.external_id == (external_id_sha256("7"),)
    assert notes == []


@pytest.mark.parametrize(
    ("path", "email"),
    [(lambda person: "a@example.com", "a@example.com"), ({"constant": "b@example.com"}, "b@example.com")],
)
def test_a_key_may_be_a_callable_or_a_constant(path: Any, email: str) -> None:
    assert identified(PERSON, {"email": path})[0].email == (email_sha256(email),)


def test_a_callable_may_give_several() -> None:
    user, _ = identified(PERSON, {"external_id": lambda person: ["1", "2"]})
    assert len(user.external_id) == 2


def test_the_region_completes_a_phone_number(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"PHONE_REGION": "DE"}
    assert identified(PERSON, {"phone": "phone"})[0].phone == (phone_sha256("+4915112345678"),)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"phone": "0151 12345678"}, "phone left out: not a phone number with country code (see PHONE_REGION)."),
        ({"phone": "call me"}, "phone left out: not a phone number with country code (see PHONE_REGION)."),
        ({"email": "jane"}, "email left out: not an e-mail address."),
        ({"ip": "10.0.0.1"}, "ip left out: not a public address."),
        ({"ttclid": "a\nb"}, "ttclid left out: unusable."),
        ({"first_name": "..."}, "first_name left out: unusable."),
    ],
)
def test_what_is_invalid_is_left_out_with_a_note(values: dict[str, Any], note: str) -> None:
    user, notes = hashed(values)
    assert notes == [note]
    assert repr(user) == "User()"


@pytest.mark.parametrize("value", [None, "", [], [None, ""], ()])
def test_what_is_not_there_needs_no_note(value: Any) -> None:
    assert hashed({"email": value})[1] == []


def test_one_usable_value_of_several_is_enough() -> None:
    user, notes = hashed({"email": ["jane", "jane@example.com"]})
    assert (user.email, notes) == ((email_sha256("jane@example.com"),), [])


def test_values_may_come_one_by_one() -> None:
    def several() -> Iterator[str]:
        yield from ("1", "2")

    assert len(hashed({"external_id": several()})[0].external_id) == 2


def test_an_unknown_key_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(InvalidEvent, match=r"user has no key 'mail'. Known keys: email, phone, external_id"):
        hashed({"mail": "x"})


def failing(person: Any) -> str:
    raise ValueError(person.email)


@pytest.mark.parametrize("path", ["gone", failing])
def test_a_key_that_can_not_be_read_is_left_out(path: Any) -> None:
    user, notes = identified(PERSON, {"phone": path, "email": "email"})
    assert user.email
    assert notes[0].startswith("phone left out: ")
    assert "Jane" not in notes[0]


def test_where_strictness_is_asked_for_it_raises() -> None:
    with pytest.raises(ValueError, match="Jane"):
        identified(PERSON, {"phone": failing}, strict=True)


def test_a_database_error_is_not_swallowed_for_the_transaction_is_spoilt() -> None:
    def query(person: Any) -> str:
        raise DatabaseError

    with pytest.raises(DatabaseError):
        identified(PERSON, {"phone": query})
