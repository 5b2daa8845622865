from __future__ import annotations

import re
from uuid import UUID

import pytest

from tiktok_attribution.events.ids import MAX_LENGTH, object_event_id, random_event_id, valid_event_id
from tiktok_attribution.exceptions import InvalidEvent


@pytest.mark.parametrize(
    ("pk", "expected"),
    [
        (42, "order-42"),
        ("A7", "order-A7"),
        ((3, "x"), "order-3-x"),
        (UUID("3f2b8c1e-7a54-4d0e-9b1a-0c5d6e7f8a9b"), "order-3f2b8c1e-7a54-4d0e-9b1a-0c5d6e7f8a9b"),
    ],
)
def test_an_id_is_made_from_label_and_key(pk: object, expected: str) -> None:
    assert object_event_id("order", pk) == expected


@pytest.mark.privacy
def test_an_email_as_primary_key_does_not_reach_tiktok_plain() -> None:
    made = object_event_id("user", "jane@example.com")
    assert re.fullmatch("user-[0-9a-f]{32}", made)
    assert made == object_event_id("user", "jane@example.com") != object_event_id("user", "joe@example.com")


def test_a_long_key_makes_a_short_id() -> None:
    assert len(object_event_id("order", "x" * 1000)) <= MAX_LENGTH


@pytest.mark.parametrize(("label", "pk"), [("", 1), ("order", None), ("order", ""), ("order", (1, None))])
def test_an_unsaved_object_has_no_id(label: str, pk: object) -> None:
    with pytest.raises(InvalidEvent, match="saved object"):
        object_event_id(label, pk)


def test_random_ids_differ() -> None:
    assert valid_event_id(random_event_id()) != random_event_id()


@pytest.mark.parametrize(("given", "expected"), [(273196, "273196"), (" a b ", "a b"), ("Nr. 5/ü", "Nr. 5/ü")])
def test_an_id_is_text(given: object, expected: str) -> None:
    assert valid_event_id(given) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        (None, "not NoneType"),
        (True, "not bool"),
        (1.5, "not float"),
        ("x" * 129, "at most 128"),
        ("a\x00b", "control characters"),
        ("a\ud800", "control characters"),
        ("jane@example.com", "e-mail address"),
    ],
)
def test_what_can_be_no_id_is_refused_with_its_reason(given: object, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        valid_event_id(given)
