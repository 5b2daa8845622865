"""A Celery task sends for a few seconds, and hands on what is left."""

from __future__ import annotations

import pytest

from tests.delivery.conftest import Configure
from tests.delivery.samples import NOW, OK, PIXEL, FakeClient, HandClock, event_ids, fill, row, states, store
from tiktok_attribution.delivery import lanes, pixel_sender
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.delivery.turns import Next, take_turn
from tiktok_attribution.models import OutboxEvent, State, Turn

pytestmark = pytest.mark.django_db


def turn(clock: HandClock, holder: str = "") -> Next | None:
    return take_turn(PIXEL, using="default", clock=clock, holder=holder)


def test_what_is_due_is_sent_and_the_turn_is_free_again(client: FakeClient, clock: HandClock) -> None:
    fill(3)

    assert turn(clock) is None
    assert states() == {State.DELIVERED: 3}
    assert Turn.objects.get().leased_until == 0


@pytest.fixture
def paced(client: FakeClient, clock: HandClock, configure: Configure) -> Next:
    """A turn that ended at the pace limit, with ten events left."""
    configure(EVENTS_PER_SECOND=40, LANES=4)
    fill(20)
    more = turn(clock)
    assert more is not None
    assert client.sizes == [10]
    return more


def test_it_never_sleeps_for_the_pace(paced: Next, client: FakeClient, clock: HandClock) -> None:
    assert paced.seconds == pytest.approx(1.0)
    clock.now += paced.seconds
    assert turn(clock, paced.holder) is None
    assert client.sizes == [10, 10]


def test_until_it_goes_on_no_other_task_takes_its_place(paced: Next, client: FakeClient, clock: HandClock) -> None:
    clock.now += paced.seconds
    assert turn(clock) is None
    assert client.sizes == [10]


def test_a_turn_goes_on_once(paced: Next, client: FakeClient, clock: HandClock) -> None:
    clock.now += paced.seconds
    turn(clock, paced.holder)
    store([row(100)])
    assert turn(clock, paced.holder) is None
    assert client.sizes == [10, 10]


def test_where_its_task_is_lost_another_starts_after_the_lease(
    paced: Next, client: FakeClient, clock: HandClock
) -> None:
    clock.now += paced.seconds + 5 + 61
    assert turn(clock) is None
    assert client.sizes == [10, 10]


def test_a_turn_taken_by_a_clock_that_was_ahead_stops_nobody(client: FakeClient, clock: HandClock) -> None:
    Turn.objects.create(pixel_code=PIXEL, number=0, holder="ahead", leased_until=NOW + 3600)
    fill(1)
    turn(clock)
    assert states() == {State.DELIVERED: 1}


def test_its_time_is_bounded(
    client: FakeClient, clock: HandClock, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(BATCH_SIZE=1, DELIVERY_SECONDS=3)
    seconds = iter(range(1000))

    class Time:
        monotonic = staticmethod(lambda: float(next(seconds)))

    monkeypatch.setattr(pixel_sender, "time", Time)
    fill(20)
    more = turn(clock)

    assert more is not None
    assert more.seconds == 0
    assert 1 <= len(client.sizes) <= 3


@pytest.mark.parametrize("most", [1, 2])
def test_at_most_so_many_tasks_send_at_once(
    most: int, client: FakeClient, clock: HandClock, configure: Configure
) -> None:
    configure(DELIVERY_TASKS=most)
    others: list[int] = []

    def answer(body: bytes) -> Answer:
        if len(others) < 5:
            others.append(Turn.objects.filter(leased_until__gt=NOW).count())
            turn(clock)
        return OK

    client.answer = answer
    store(row(number, lane=number % 4) for number in range(8))
    turn(clock)

    assert states() == {State.DELIVERED: 8}
    assert max(others) == most


def test_what_is_committed_while_the_last_look_is_past_is_sent_too(client: FakeClient, clock: HandClock) -> None:
    fill(1)

    def answer(body: bytes) -> Answer:
        if event_ids(body) == ["order-0"]:
            store([row(1, lane=3)])  # a lane that this run does not look at
        return OK

    client.answer = answer
    turn(clock)
    assert not OutboxEvent.objects.exclude(state=State.DELIVERED).exists()


def test_a_lane_that_another_process_holds_is_left_to_it(client: FakeClient, clock: HandClock) -> None:
    fill(1)
    lanes.lease("default", PIXEL, 0, now=NOW, seconds=60)
    assert turn(clock) is None
    assert client.sizes == []


def test_a_long_pause_is_left_to_the_sweep(client: FakeClient, clock: HandClock) -> None:
    client.answer = lambda body: Answer(http_status=429, retry_after=300.0)
    fill(1)
    assert turn(clock) is None
    store([row(1)])
    assert turn(clock) is None
    assert len(client.sizes) == 1
