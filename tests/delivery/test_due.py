from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.samples import DAY, NOW, PIXEL, fill, row, store
from tiktok_attribution.conf import Settings
from tiktok_attribution.delivery import lanes
from tiktok_attribution.delivery.lanes import CLEARED, DOUBTFUL, Due, due_rows, reason_to_give_up
from tiktok_attribution.models import EventBody, OutboxEvent, State

SETTINGS = Settings(max_age_days=7.0)


def due(**changes: Any) -> Due:
    usual = {"pk": 1, "payload": "{}", "attempts": 0, "event_time": int(NOW), "unknown_since": None}
    return Due(**(usual | changes))


def read(*, most: int = 1000, most_bytes: int = 1_000_000) -> list[Due]:
    lease = lanes.lease("default", PIXEL, 0, now=NOW, seconds=60)
    assert lease is not None
    return due_rows(lease, now=NOW, most=most, most_bytes=most_bytes)


@pytest.mark.django_db
def test_rows_that_wait_longest_come_first() -> None:
    store([row(1, due_at=NOW - 1), row(2, due_at=NOW - 9), row(3, due_at=NOW - 5)])
    by_pk = dict(OutboxEvent.objects.values_list("pk", "event_id"))

    assert [by_pk[found.pk] for found in read()] == ["order-2", "order-3", "order-1"]


@pytest.mark.django_db
def test_only_this_lanes_due_and_waiting_rows_are_read() -> None:
    store(
        [
            row(1),
            row(2, due_at=NOW + 1),
            row(3, lane=1),
            row(4, pixel_code="ANOTHER"),
            row(5, state=State.CANCELLED),
            row(6, due_at=None, state=State.DELIVERED),
        ]
    )

    assert [found.pk for found in read()] == [OutboxEvent.objects.get(event_id="order-1").pk]


@pytest.mark.django_db
def test_a_row_whose_body_was_deleted_by_hand_is_read_as_cleared() -> None:
    fill(2)
    first = OutboxEvent.objects.earliest("due_at")
    EventBody.objects.filter(pk=first.pk)._raw_delete("default")

    assert [bool(found.payload) for found in read()] == [False, True]


@pytest.mark.django_db
def test_no_more_rows_are_read_than_asked_for() -> None:
    fill(5)

    assert len(read(most=3)) == 3


@pytest.mark.django_db
def test_no_more_rows_are_taken_than_fit_into_a_body() -> None:
    fill(50)
    size = len(row(10).payload)

    assert len(read(most_bytes=1000 + 20 * (size + 1))) == 20


@pytest.mark.django_db
def test_a_row_that_fits_into_no_body_goes_alone() -> None:
    fill(2)

    assert len(read(most_bytes=1)) == 1


def test_a_fresh_row_is_sent() -> None:
    assert reason_to_give_up(due(), SETTINGS, NOW) == ""


def test_an_event_is_sent_up_to_its_greatest_age() -> None:
    assert reason_to_give_up(due(event_time=int(NOW) - 7 * DAY), SETTINGS, NOW) == ""


def test_beyond_it_the_event_is_given_up() -> None:
    reason = reason_to_give_up(due(event_time=int(NOW) - 7 * DAY - 1), SETTINGS, NOW)

    assert reason == "Not delivered within 7 days of the event."


def test_an_attempt_of_unknown_fate_is_repeated_for_47_hours() -> None:
    assert reason_to_give_up(due(unknown_since=NOW - 47 * 3600), SETTINGS, NOW) == ""


def test_beyond_them_a_repeat_could_count_twice() -> None:
    assert reason_to_give_up(due(unknown_since=NOW - 47 * 3600 - 1), SETTINGS, NOW) == DOUBTFUL


def test_a_row_whose_body_was_cleared_is_given_up() -> None:
    assert reason_to_give_up(due(payload=""), SETTINGS, NOW) == CLEARED
