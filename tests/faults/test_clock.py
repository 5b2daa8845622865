"""The clock of the machine jumps while events wait, are leased, or are of unknown fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.delivery.samples import NOW, PIXEL, HandClock, fill, states
from tiktok_attribution.delivery import lanes, pixel_sender
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.testing.server import StandIn

pytestmark = [pytest.mark.faults, pytest.mark.django_db]

HOUR = 3600
EVENTS = 5
Worker = Callable[[], None]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def standin(clock: HandClock, settings: Any) -> Iterator[StandIn]:
    """Its clock is the same hand clock, so that it forgets an event_id when TikTok would."""
    with StandIn(clock=clock) as standin:
        settings.TIKTOK_ATTRIBUTION = {
            **settings.TIKTOK_ATTRIBUTION,
            "API_URL": standin.api_url,
            "LEASE_SECONDS": 60,
            "EVENTS_PER_SECOND": 1000,
        }
        yield standin


@pytest.fixture
def work(clock: HandClock) -> Worker:
    def deliver() -> None:
        pixel_sender.deliver(PIXEL, using="default", clock=clock)

    return deliver


def counted(standin: StandIn) -> Counter[int]:
    """How many events are counted how often."""
    return Counter(row.counted for row in standin.ledger.events())


def dead_holder(clock: HandClock, standin: StandIn, work: Worker) -> None:
    """A worker took the lane, sent everything, TikTok took it, and the worker died before it saw that."""
    standin.faults.add("reset", accept=True)
    work()
    OutboxEvent.objects.update(unknown_since=None, attempts=0, due_at=clock() - 1)
    lease = lanes.lease("default", PIXEL, 0, now=clock(), seconds=60)
    assert lease is not None
    lease.take("attempt-of-the-dead", list(OutboxEvent.objects.values_list("pk", flat=True)), now=clock(), seconds=60)


@pytest.mark.parametrize("jump", [24 * HOUR, 46 * HOUR])
def test_after_a_jump_ahead_what_tiktok_may_have_is_sent_again_and_not_counted_again(
    clock: HandClock, standin: StandIn, work: Worker, jump: int
) -> None:
    fill(EVENTS)
    dead_holder(clock, standin, work)
    clock.now += jump
    work()

    assert states() == {State.DELIVERED: EVENTS}
    assert counted(standin) == {1: EVENTS}


def test_after_a_jump_past_tiktoks_memory_it_is_given_up_and_says_why(
    clock: HandClock, standin: StandIn, work: Worker
) -> None:
    fill(EVENTS)
    dead_holder(clock, standin, work)
    clock.now += 49 * HOUR
    work()

    assert states() == {State.EXPIRED: EVENTS}
    assert counted(standin) == {1: EVENTS}
    assert not OutboxEvent.objects.filter(note="").exists()


def test_a_jump_back_counts_nothing_twice_and_all_is_sent_when_the_clock_has_caught_up(
    clock: HandClock, standin: StandIn, work: Worker
) -> None:
    fill(EVENTS)
    dead_holder(clock, standin, work)
    clock.now -= HOUR
    work()
    clock.now = NOW + 61
    work()

    assert states() == {State.DELIVERED: EVENTS}
    assert counted(standin) == {1: EVENTS}


def test_a_jump_back_while_a_post_is_on_its_way_leaves_the_lease_to_its_holder(
    clock: HandClock, standin: StandIn, work: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(EVENTS)
    take = standin.exchange.ledger.record

    def jumping(*args: Any, **kwargs: Any) -> None:
        take(*args, **kwargs)
        clock.now -= HOUR

    monkeypatch.setattr(standin.ledger, "record", jumping)
    work()

    assert states() == {State.DELIVERED: EVENTS}
    assert counted(standin) == {1: EVENTS}
