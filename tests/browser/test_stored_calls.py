"""Browser channels as they are read from the outbox, and what reading them must not do."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tiktok_attribution import track
from tiktok_attribution.browser import stored_calls
from tiktok_attribution.browser.pending_cookie import Key
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.models.visitor import object_key

pytestmark = pytest.mark.django_db

HERE = "https://shop.example/"


def recorded(event_id: str, **more: Any) -> None:
    track(None, "Lead", event_id=event_id, page_url=HERE, value=5, currency="EUR", **more)
    OutboxEvent.objects.update(wants_browser=True)  # as for a visitor, of whom there is none here


def key(event_id: str, pixel_code: str = "C0A") -> Key:
    return Key(pixel_code, "Lead", event_id)


def test_channels_come_in_the_order_of_their_keys() -> None:
    for event_id in "abc":
        recorded(event_id, pixels=["C0A"])
    found = stored_calls.of_keys([key("c"), key("a"), key("gone"), key("b")])
    assert [pixel_call.call.event_id for pixel_call in found] == ["c", "a", "b"]


def test_the_pixels_of_an_event_are_one_channel() -> None:
    recorded("a", pixels=["C0A", "C0B"])
    (pixel_call,) = stored_calls.of_keys([key("a"), key("a", "C0B")])
    assert pixel_call.pixel_codes == ("C0A", "C0B")


def test_a_pixel_that_was_not_asked_for_is_left_out() -> None:
    recorded("a", pixels=["C0A", "C0B"])
    (pixel_call,) = stored_calls.of_keys([key("a", "C0B")])
    assert pixel_call.pixel_codes == ("C0B",)


def test_an_event_without_a_pixel_call_is_left_out() -> None:
    recorded("a", pixels=["C0A"])
    OutboxEvent.objects.update(wants_browser=False)
    assert stored_calls.of_keys([key("a")]) == []


@pytest.mark.parametrize("payload", ["", "no JSON"])
def test_a_payload_that_was_cleared_is_left_out(payload: str) -> None:
    recorded("a", pixels=["C0A"])
    OutboxEvent.objects.update(payload=payload)
    assert stored_calls.of_keys([key("a")]) == []


@pytest.mark.privacy
@pytest.mark.parametrize("pk", ["42", "ada@example.com", "a:b", "x" * 200])
def test_an_object_is_found_by_whatever_its_key_is(pk: str) -> None:
    recorded("a", pixels=["C0A"])
    row = OutboxEvent.objects.get()
    row.object_label, row.object_pk = "shop.Order", object_key(pk)
    row.save()
    assert [pixel_call.call.event_id for pixel_call in stored_calls.of_objects([f"shop.Order:{pk}"])] == ["a"]
    assert stored_calls.of_objects(["shop.Member:" + pk, "shop.Order:43"]) == []


def test_nothing_to_look_for_is_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert (stored_calls.of_keys([]), stored_calls.of_objects([])) == ([], [])


def test_it_is_noted_when_a_pixel_call_was_shown_first() -> None:
    recorded("a", pixels=["C0A"])
    stored_calls.note_shown([key("a")])
    first = OutboxEvent.objects.get().browser_at
    stored_calls.note_shown([key("a")])
    assert first is not None
    assert OutboxEvent.objects.get().browser_at == first


def test_a_query_that_fails_leaves_the_sites_own_transaction_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxEvent._meta, "db_table", "no_such_table")
    with transaction.atomic():
        with pytest.raises(DatabaseError):
            stored_calls.of_keys([key("a")])
        stored_calls.note_shown([key("a")])
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
