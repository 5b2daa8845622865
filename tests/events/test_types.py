from __future__ import annotations

from typing import Any

import pytest

from tiktok_attribution.events import Event, User
from tiktok_attribution.events.types import MAX_VALUES, SHA256_OF_NOTHING
from tiktok_attribution.exceptions import InvalidEvent

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.mark.privacy
@pytest.mark.parametrize("key", ["email", "phone", "external_id"])
@pytest.mark.parametrize("values", [("jane@example.com",), (A, "42"), (SHA256_OF_NOTHING,), (A.upper(),), A, ("",)])
def test_a_user_takes_only_tuples_of_hashes(key: str, values: Any) -> None:
    with pytest.raises(InvalidEvent, match=rf"^user\.{key} must be a tuple of SHA-256 hex, as events"):
        User(**{key: values})


@pytest.mark.privacy
@pytest.mark.parametrize("key", ["first_name", "last_name", "zip_code"])
@pytest.mark.parametrize("value", ["Jane", SHA256_OF_NOTHING])
def test_a_user_takes_only_hashed_names(key: str, value: str) -> None:
    with pytest.raises(InvalidEvent, match=rf"^user\.{key} must be SHA-256 hex, as events"):
        User(**{key: value})


@pytest.mark.privacy
def test_a_users_repr_names_the_keys_and_shows_no_value() -> None:
    user = User(email=(A,), ip="203.0.113.7", user_agent="Firefox")
    assert repr(user) == "User(email, ip, user_agent)"


@pytest.mark.parametrize("key", ["email", "phone", "external_id"])
def test_one_hash_is_enough_to_match(key: str) -> None:
    assert User(**{key: (A,)}).matchable


@pytest.mark.parametrize("keys", [{"ttclid": "x"}, {"ttp": "x"}, {"ip": "203.0.113.7", "user_agent": "Firefox"}])
def test_a_click_or_an_address_with_its_agent_is_enough_to_match(keys: dict[str, Any]) -> None:
    assert User(**keys).matchable


@pytest.mark.parametrize("keys", [{}, {"ip": "203.0.113.7"}, {"user_agent": "Firefox"}, {"country": "us"}])
def test_an_address_or_a_country_alone_matches_nobody(keys: dict[str, Any]) -> None:
    assert not User(**keys).matchable


def test_merging_keeps_the_scalars_of_the_first_and_fills_its_gaps() -> None:
    merged = User(ttclid="mine", ip="203.0.113.7").merged(User(ttclid="theirs", locale="en-US"))
    assert merged == User(ttclid="mine", ip="203.0.113.7", locale="en-US")


def test_merging_unites_lists_in_order() -> None:
    assert User(email=(B, A)).merged(User(email=(A, C))).email == (B, A, C)


def test_merging_keeps_at_most_what_is_sent() -> None:
    hashes = tuple(f"{number:064x}" for number in range(20))
    assert User(phone=hashes[:8]).merged(User(phone=hashes[8:])).phone == hashes[:MAX_VALUES]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": ""}, "name"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": 273196}, "event_id"),
        ({"event_time": 1764000000.5}, "event_time"),
        ({"event_time": True}, "event_time"),
        ({"event_time": "1764000000"}, "event_time"),
    ],
)
def test_an_event_of_wrong_types_can_not_be_made(wrong: dict[str, Any], reason: str) -> None:
    right: dict[str, Any] = {"name": "Lead", "event_id": "lead-1", "event_time": 1764000000}
    with pytest.raises(InvalidEvent, match=f"an event needs .*{reason}"):
        Event(**{**right, **wrong})
