"""While TikTok is down: one probe now and then, and everything again once it answers."""

from __future__ import annotations

import pytest

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import NOW, OK, PIXEL, REFUSED, SYSTEM_ERROR, TOO_MANY, FakeClient, HandClock, row, store
from tiktok_attribution.delivery.breaker import OPENS_AFTER, Breaker
from tiktok_attribution.models import OutboxEvent, PixelStatus, State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def backoff(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its jitter: the longest pause each time."""
    configure(RETRY_SECONDS=10, RETRY_MOST_SECONDS=3600)
    monkeypatch.setattr("tiktok_attribution.delivery.backoff.random.uniform", lambda least, most: most)


def waiting(*numbers: int) -> None:
    store([row(number) for number in numbers])


def goes_down(client: FakeClient, deliver: Deliver) -> None:
    """As many new events as failures that open the breaker, each tried once."""
    client.answer = lambda body: REFUSED
    for number in range(OPENS_AFTER):
        waiting(number)
        deliver()


def test_failures_in_a_row_close_the_pixel_to_requests(client: FakeClient, deliver: Deliver) -> None:
    goes_down(client, deliver)
    waiting(100)

    assert deliver() == {}
    assert len(client.sizes) == OPENS_AFTER
    assert OutboxEvent.objects.get(event_id="order-100").attempts == 0


def test_after_the_pause_one_event_is_sent_as_a_probe(client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
    goes_down(client, deliver)
    waiting(*range(100, 110))
    clock.now += 3601
    deliver()

    assert client.sizes[OPENS_AFTER:] == [1]


def test_a_probe_that_is_answered_lets_everything_go(client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
    goes_down(client, deliver)
    waiting(*range(100, 110))
    clock.now += 3601
    client.answer = lambda body: OK
    tally = deliver()

    assert tally["delivered"] == OPENS_AFTER + 10
    assert client.sizes[OPENS_AFTER] == 1
    assert PixelStatus.objects.get().failures == 0


def test_the_pause_grows_with_each_probe_that_fails(client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
    goes_down(client, deliver)
    first = PixelStatus.objects.get().closed_until - clock.now
    clock.now += first + 1
    waiting(100)
    deliver()

    assert PixelStatus.objects.get().closed_until - clock.now == 2 * first


def test_of_two_workers_one_probes(client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
    goes_down(client, deliver)
    clock.now += 3601
    one, other = Breaker("default", PIXEL), Breaker("default", PIXEL)

    assert one.may_pass(now=clock.now, seconds=60)
    assert not other.may_pass(now=clock.now, seconds=60)


def test_an_answer_in_between_begins_the_count_anew(client: FakeClient, deliver: Deliver) -> None:
    client.answer = lambda body: SYSTEM_ERROR
    for number in range(OPENS_AFTER - 1):
        waiting(number)
        deliver()
    client.answer = lambda body: OK
    waiting(50)
    deliver()

    assert PixelStatus.objects.get().failures == 0


def test_a_rate_limit_is_no_failure(client: FakeClient, deliver: Deliver) -> None:
    client.answer = lambda body: TOO_MANY
    for number in range(OPENS_AFTER + 1):
        waiting(number)
        deliver()

    assert len(client.sizes) == OPENS_AFTER + 1
    assert not PixelStatus.objects.filter(failures__gt=0).exists()


def test_a_healthy_pixel_costs_no_write(client: FakeClient, deliver: Deliver) -> None:
    waiting(1)
    deliver()

    assert not PixelStatus.objects.exists()
    assert OutboxEvent.objects.get().state == State.DELIVERED


def test_another_pixel_goes_on(client: FakeClient, deliver: Deliver) -> None:
    goes_down(client, deliver)
    client.answer = lambda body: OK
    row(1, pixel_code="C0OTHER", due_at=NOW - 1).save()

    assert deliver("C0OTHER")["delivered"] == 1
