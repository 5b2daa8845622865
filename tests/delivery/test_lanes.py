from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.delivery.samples import DAY, NOW, PIXEL, fill, only_row, row, store
from tiktok_attribution.delivery import lanes
from tiktok_attribution.delivery.lanes import Lease, LeaseLost
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, Outcome, State, moment

pytestmark = pytest.mark.django_db


def lease(*, now: float = NOW, seconds: float = 60) -> Lease | None:
    return lanes.lease("default", PIXEL, 0, now=now, seconds=seconds)


def held(*, now: float = NOW) -> Lease:
    found = lease(now=now)
    assert found is not None
    return found


def test_a_held_lane_is_not_leased_again() -> None:
    held()

    assert lease(now=NOW + 59) is None


def test_an_expired_lease_is_taken_over() -> None:
    held()

    assert lease(now=NOW + 61) is not None


def test_a_released_lane_is_free_at_once() -> None:
    held().release()

    assert lease() is not None


def test_lanes_are_leased_one_by_one() -> None:
    held()

    assert lanes.lease("default", PIXEL, 1, now=NOW, seconds=60) is not None


def test_renewing_keeps_a_lane_past_its_first_end() -> None:
    held().take("attempt", [1], now=NOW + 50, seconds=60)

    assert lease(now=NOW + 100) is None


def test_a_worker_that_renews_at_the_last_moment_keeps_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    own = held()

    def renew_first(size: int) -> str:
        own.take("attempt", [1], now=NOW + 61, seconds=60)
        return "the-other-one"

    monkeypatch.setattr(lanes.secrets, "token_urlsafe", renew_first)  # asked after the look at the lane

    assert lease(now=NOW + 61) is None


def test_a_late_worker_may_not_send() -> None:
    late = held()
    held(now=NOW + 61)

    with pytest.raises(LeaseLost):
        late.take("attempt", [1], now=NOW + 62, seconds=60)


def test_a_late_worker_may_not_mark() -> None:
    late = held()
    held(now=NOW + 61)

    fill(1)

    assert OutboxEvent.objects.filter(late.is_leased).count() == 0
    with pytest.raises(LeaseLost, match=f"lane {PIXEL}/0 is another worker's now"):
        late.check()


def test_a_late_worker_does_not_release_the_other_ones_lease() -> None:
    late = held()
    held(now=NOW + 61)
    late.release()

    assert lease(now=NOW + 62) is None


def test_a_lane_with_something_on_its_way_is_not_released() -> None:
    own = held()
    own.take("attempt", [1], now=NOW, seconds=60)
    own.release()

    assert lease(now=NOW + 59) is None


def test_a_worker_that_dies_after_its_marks_leaves_nothing_unknown() -> None:
    fill(1)
    own = held()
    own.take("the-attempt", [only_row().pk], now=NOW, seconds=60)
    Attempt.objects.create(
        id="the-attempt", pixel_code=PIXEL, started_at=moment(NOW), event_count=1, outcome=Outcome.RETRY
    )
    held(now=NOW + 61)

    assert only_row().unknown_since is None
    assert Attempt.objects.count() == 1


def dies_with_one_row_on_its_way() -> None:
    fill(1)
    held().take("the-attempt", [only_row().pk], now=NOW, seconds=60)


def test_a_take_over_notes_when_the_fate_became_unknown() -> None:
    dies_with_one_row_on_its_way()
    held(now=NOW + 61)

    assert only_row().unknown_since == NOW


def test_a_take_over_keeps_the_first_moment_of_doubt() -> None:
    dies_with_one_row_on_its_way()
    OutboxEvent.objects.update(unknown_since=NOW - DAY)
    held(now=NOW + 61)

    assert only_row().unknown_since == NOW - DAY


def test_a_take_over_leaves_the_row_due() -> None:
    dies_with_one_row_on_its_way()
    held(now=NOW + 61)

    assert (only_row().state, only_row().due_at) == (State.WAITING, NOW - 1)


def test_a_take_over_records_the_attempt_of_the_dead_worker() -> None:
    dies_with_one_row_on_its_way()
    held(now=NOW + 61)
    attempt = Attempt.objects.get()

    assert (attempt.pk, attempt.outcome, attempt.event_count) == ("the-attempt", Outcome.UNKNOWN, 1)
    assert only_row().attempt_pks == ["the-attempt"]


def test_a_take_over_notes_nothing_twice() -> None:
    dies_with_one_row_on_its_way()
    held(now=NOW + 61)
    held(now=NOW + 200)

    assert only_row().attempts == 1


def test_a_take_over_leaves_alone_what_was_called_off() -> None:
    dies_with_one_row_on_its_way()
    OutboxEvent.objects.update(state=State.CANCELLED, due_at=None)
    held(now=NOW + 61)

    assert (only_row().state, only_row().attempts) == (State.CANCELLED, 0)


def test_a_take_over_survives_that_its_rows_were_erased() -> None:
    dies_with_one_row_on_its_way()
    OutboxEvent.objects.all().delete()

    assert lease(now=NOW + 61) is not None


def test_pixels_with_a_waiting_row_are_found() -> None:
    store(
        [
            row(1, pixel_code="B"),
            row(2, pixel_code="B", lane=3),
            row(3, pixel_code="A", due_at=NOW + DAY),
            row(4, pixel_code="C", due_at=None, state=State.DELIVERED),
        ]
    )

    assert list(lanes.pixels_with_work("default")) == ["A", "B"]


def test_lanes_with_a_due_row_are_found() -> None:
    store(
        [
            row(1, lane=2),
            row(2, lane=0),
            row(3, lane=1, due_at=NOW + 1),
            row(4, lane=3, due_at=None, state=State.DELIVERED),
            row(5, lane=7),
            row(6, lane=5, pixel_code="ANOTHER"),
        ]
    )

    assert list(lanes.lanes_with_work("default", PIXEL, NOW)) == [0, 2, 7]


def test_looking_for_lanes_costs_the_same_whatever_waits_in_them() -> None:
    counts = []
    for number in range(2):
        store([row(100 * number + extra, lane=extra % 2) for extra in range(10**number * 2)])
        with CaptureQueriesContext(connection) as queries:
            list(lanes.lanes_with_work("default", PIXEL, NOW))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_a_row_that_is_called_off_is_no_work() -> None:
    store([row(state=State.CANCELLED)])

    assert not lanes.has_work("default", PIXEL, 0, NOW)


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_one_gets_the_lane() -> None:
    lanes.lease("default", PIXEL, 0, now=NOW - 100, seconds=1)
    start, won = threading.Barrier(8), []

    def compete() -> None:
        start.wait(10)
        try:
            won.append(lease())
        finally:
            connection.close()

    workers = [threading.Thread(target=compete) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert len(won) == 8
    assert sum(found is not None for found in won) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_that_make_the_lane_at_once_one_gets_it() -> None:
    start, won = threading.Barrier(4), []

    def compete() -> None:
        start.wait(10)
        try:
            won.append(lease())
        finally:
            connection.close()

    workers = [threading.Thread(target=compete) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert sum(found is not None for found in won) == 1
    assert Lane.objects.count() == 1
