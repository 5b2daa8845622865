"""The rate limit: a lane's share of EVENTS_PER_SECOND, kept in the lane."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import FakeClient, HandClock, row, store
from tiktok_attribution.delivery import pixel_sender
from tiktok_attribution.models import Lane

pytestmark = pytest.mark.django_db


@pytest.fixture
def sleeps(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is slept moves the hand clock, and real time as far as the pause is concerned."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    class Time:
        monotonic = staticmethod(lambda: clock.now)

    Time.sleep = staticmethod(sleep)  # type: ignore[attr-defined]
    monkeypatch.setattr(pixel_sender, "time", Time)
    return slept


def test_a_lane_sends_its_share_of_a_second_and_waits_for_the_next(
    client: FakeClient, deliver: Deliver, configure: Configure, sleeps: list[float]
) -> None:
    configure(EVENTS_PER_SECOND=40, LANES=4)
    store([row(number) for number in range(25)])

    assert deliver()["delivered"] == 25
    assert client.sizes == [10, 10, 5]
    assert sum(sleeps) == pytest.approx(2.0, abs=0.01)


def test_the_lanes_do_not_wait_for_each_other(
    client: FakeClient, deliver: Deliver, configure: Configure, sleeps: list[float]
) -> None:
    configure(EVENTS_PER_SECOND=40, LANES=4)
    store([row(number, lane=number % 4) for number in range(40)])

    assert deliver()["delivered"] == 40
    assert sleeps == []


def test_another_worker_keeps_the_pace_too(
    client: FakeClient, deliver: Deliver, configure: Configure, sleeps: list[float], clock: HandClock
) -> None:
    configure(EVENTS_PER_SECOND=40, LANES=4)
    store([row(number) for number in range(10)])
    deliver()

    assert Lane.objects.get().next_at == pytest.approx(clock.now + 1.0)


def test_somebody_who_wants_the_process_to_end_does_not_wait(
    client: FakeClient, deliver: Deliver, configure: Configure, sleeps: list[float]
) -> None:
    configure(EVENTS_PER_SECOND=4, LANES=4)
    store([row(number) for number in range(30)])
    deliver(stopping=lambda: sum(sleeps) > 0.5)

    assert sum(sleeps) < 1.0


def test_no_limit_is_no_pause(client: FakeClient, deliver: Deliver, configure: Configure, sleeps: Any) -> None:
    configure(EVENTS_PER_SECOND=0)
    store([row(number) for number in range(30)])

    assert deliver()["delivered"] == 30
    assert client.sizes == [30]
    assert sleeps == []


def test_a_rate_of_less_than_an_event_a_second_is_waited_for_too(
    client: FakeClient, deliver: Deliver, configure: Configure, sleeps: list[float]
) -> None:
    configure(EVENTS_PER_SECOND=0.5, LANES=4)
    store([row(number) for number in range(3)])

    assert deliver()["delivered"] == 3
    assert sum(sleeps) == pytest.approx(16.0, abs=0.01)
