"""While TikTok is down: one probe now and then, and everything again once it answers."""

from __future__ import annotations

import pytest

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import NOW, OK, PIXEL, REFUSED, SYSTEM_ERROR, TOO_MANY, FakeClient, HandClock, row, store
from tiktok_attribution.delivery.pixels import OPENS_AFTER, Breaker
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import OutboxEvent, PixelStatus, State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def backoff(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its jitter: the longest pause each time."""
    configure(RETRY_SECONDS=10, RETRY_MAX_SECONDS=3600)
    monkeypatch.setattr("tiktok_attribution.delivery.responses.random.uniform", lambda least, most: most)


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
    counts = deliver()

    assert counts["delivered"] == OPENS_AFTER + 10
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


def test_a_rate_limit_is_no_failure(client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
    client.answer = lambda body: TOO_MANY
    for number in range(OPENS_AFTER + 1):
        waiting(number)
        deliver()
        clock.now += 3601

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


def test_a_pause_is_the_pixels_for_every_lane_and_every_worker(
    client: FakeClient, deliver: Deliver, clock: HandClock
) -> None:
    client.answer = lambda body: Answer(http_status=429, retry_after=30.0)
    waiting(0)
    deliver()
    client.answer = lambda body: OK
    for number in range(10):
        store([row(100 + number, lane=number % 4)])
        clock.now += 2
        assert deliver() == {}
    assert len(client.sizes) == 1
    clock.now += 11
    assert deliver()["delivered"] == 11


def test_a_longer_pause_that_another_worker_was_told_of_stays() -> None:
    Breaker("default", PIXEL).pause(until=NOW + 60, now=NOW)
    Breaker("default", PIXEL).pause(until=NOW + 10, now=NOW + 1)
    assert PixelStatus.objects.get().paused_until == NOW + 60


def test_no_pause_is_longer_than_the_setting(client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
    client.answer = lambda body: Answer(http_status=429, retry_after=10_000_000.0)
    waiting(0)
    deliver()
    assert PixelStatus.objects.get().paused_until == NOW + 3600


@pytest.mark.parametrize("ahead", [2 * 3600, 86_400])
@pytest.mark.parametrize("moment", [{"paused_until": 1}, {"closed_until": 1, "failures": OPENS_AFTER}])
def test_a_pause_that_a_clock_ahead_has_written_stops_nobody(
    client: FakeClient, deliver: Deliver, ahead: float, moment: dict[str, float]
) -> None:
    moments = {name: NOW + ahead if name.endswith("until") else value for name, value in moment.items()}
    PixelStatus.objects.create(pixel_code=PIXEL, **moments)
    waiting(0)
    assert deliver()["delivered"] == 1
