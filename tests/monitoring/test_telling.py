"""A trouble is told once when it begins and once when it ends, by one of however many workers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.test.utils import CaptureQueriesContext

from tests.admin.samples import PIXEL, stored_event, with_settings
from tests.monitoring.conftest import Heard
from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Alert, AlertKind, Heartbeat, HourlyStatistics, OutboxEvent, PixelStatus, State
from tiktok_attribution.monitoring import alerts
from tiktok_attribution.monitoring.alerts import failing_shares, oldest_due_seconds
from tiktok_attribution.signals import alert_opened

pytestmark = pytest.mark.django_db
Sweep = Callable[[float], None]
BEGAN_STOPPED = ("began", PIXEL, AlertKind.STOPPED.value)
ENDED_STOPPED = ("ended", PIXEL, AlertKind.STOPPED.value)


def stop() -> None:
    pixels.stop("default", PIXEL, Answer(code=40105, message="Access token is incorrect"), token="old")


def counted(good: int, bad: int, *, hours_ago: int = 1, pixel_code: str = PIXEL) -> None:
    HourlyStatistics.objects.create(
        hour=int(time.time()) - 3600 * hours_ago,
        pixel_code=pixel_code,
        name="Purchase",
        delivered=good,
        rejected=bad // 2,
        invalid=bad - bad // 2,
    )


def test_nothing_is_told_while_all_is_well(heard: Heard, minutes_later: Sweep) -> None:
    minutes_later(0)
    assert heard == []
    assert not Alert.objects.exists()


def test_a_stop_is_told_once_and_its_end_once(heard: Heard, minutes_later: Sweep) -> None:
    stop()
    for minute in range(5):
        minutes_later(minute)
    assert heard == [BEGAN_STOPPED]
    pixels.resume("default", PIXEL)
    for minute in range(5, 10):
        minutes_later(minute)
    assert heard == [BEGAN_STOPPED, ENDED_STOPPED]


def test_it_is_told_again_when_it_comes_again(heard: Heard, minutes_later: Sweep) -> None:
    for minute in (0, 10):
        stop()
        minutes_later(minute)
        pixels.resume("default", PIXEL)
        minutes_later(minute + 5)
    assert heard == [BEGAN_STOPPED, ENDED_STOPPED] * 2


def test_within_a_minute_nobody_looks_twice(minutes_later: Sweep) -> None:
    minutes_later(0)
    with CaptureQueriesContext(connection) as asked:
        minutes_later(0.5)
    assert not any("tiktok_attribution_alert" in query["sql"] for query in asked)


def test_an_event_that_waits_too_long_is_told(heard: Heard, minutes_later: Sweep, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ALERT_DELAY_MINUTES=30)
    event = stored_event(age=25 * 60)
    minutes_later(0)
    assert heard == []
    minutes_later(6)
    assert heard == [("began", PIXEL, AlertKind.LATE.value)]
    assert Alert.objects.get().figure == 31
    OutboxEvent.objects.filter(pk=event.pk).update(state=State.DELIVERED, due_at=None)
    minutes_later(8)
    assert heard[1:] == [("ended", PIXEL, AlertKind.LATE.value)]


def test_an_age_that_hovers_around_the_limit_is_told_once(heard: Heard, minutes_later: Sweep) -> None:
    event = stored_event(age=16 * 60)
    for minute in range(6):
        OutboxEvent.objects.filter(pk=event.pk).update(due_at=time.time() - 60 * (16 - 2 * (minute % 2) - minute))
        minutes_later(minute)
    assert heard == [("began", PIXEL, AlertKind.LATE.value)]


def test_what_waits_for_a_stopped_pixel_is_no_news(heard: Heard, minutes_later: Sweep) -> None:
    stop()
    stored_event(age=7200)
    minutes_later(0)
    assert heard == [BEGAN_STOPPED]


def test_a_tiktok_that_stays_away_is_told_though_no_event_is_due_for_long(heard: Heard, minutes_later: Sweep) -> None:
    pixel = PixelStatus.objects.create(pixel_code=PIXEL, failures=11)
    stored_event(due_at=time.time() + 900)
    for minute, failures in enumerate((11, 12, 40, 3, 0)):
        PixelStatus.objects.filter(pk=pixel.pk).update(failures=failures)
        minutes_later(2 * minute)
        if failures == 40:
            assert heard == [("began", PIXEL, AlertKind.DOWN.value)]
    assert heard[1:] == [("ended", PIXEL, AlertKind.DOWN.value)]


@pytest.mark.parametrize(
    ("good", "bad", "is_told"), [(40, 10, True), (100, 10, False), (0, 2, False), (0, 3, True), (0, 0, False)]
)
def test_failures_beyond_the_rate_are_told(
    heard: Heard, minutes_later: Sweep, good: int, bad: int, is_told: bool
) -> None:
    counted(good, bad)
    minutes_later(0)
    assert heard == [("began", PIXEL, AlertKind.FAILING.value)] * is_told


def test_the_rate_is_that_of_the_newest_hours_with_enough_events() -> None:
    counted(20, 0, hours_ago=1)
    counted(0, 80, hours_ago=2)
    counted(1, 3, hours_ago=3, pixel_code="C0SMALL")
    counted(1, 3, hours_ago=9, pixel_code="C0SMALL")
    counted(0, 99, hours_ago=30, pixel_code="C0SMALL")
    assert failing_shares(using="default", now=time.time()) == {"C0SMALL": 75.0}


def test_a_rate_of_nought_is_not_watched(heard: Heard, minutes_later: Sweep, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(FAILURE_PERCENT=0)
    counted(0, 50)
    minutes_later(0)
    assert heard == []


def test_failures_that_become_fewer_are_well_again(heard: Heard, minutes_later: Sweep) -> None:
    counted(0, 30, hours_ago=2)
    minutes_later(0)
    counted(85, 15)
    minutes_later(2)
    assert len(heard) == 1  # fewer than the limit, and not yet half of it
    HourlyStatistics.objects.filter(delivered=85).update(delivered=300)
    minutes_later(4)
    assert heard[1:] == [("ended", PIXEL, AlertKind.FAILING.value)]


def test_a_pixel_that_left_the_settings_is_well_once_it_has_resumed(
    heard: Heard, minutes_later: Sweep, settings: Any
) -> None:
    stop()
    minutes_later(0)
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE="C0OTHER")
    pixels.resume("default", PIXEL)
    minutes_later(2)
    assert heard == [BEGAN_STOPPED, ENDED_STOPPED]


def test_switched_off_is_no_trouble(heard: Heard, minutes_later: Sweep, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ENABLED=False)
    stored_event(age=7200)
    minutes_later(0)
    assert heard == []


def test_a_receiver_that_fails_stops_nothing(minutes_later: Sweep) -> None:
    def fail(**arguments: Any) -> None:
        raise RuntimeError

    alert_opened.connect(fail)
    try:
        stop()
        minutes_later(0)
    finally:
        alert_opened.disconnect(fail)
    assert Alert.objects.get(alert_kind=AlertKind.STOPPED).is_open


@pytest.mark.faults
def test_a_database_that_fails_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, minutes_later: Sweep, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**arguments: Any) -> None:
        raise DatabaseError("secret")

    monkeypatch.setattr(alerts, "notify", fail)
    minutes_later(0)
    assert "could not be checked (DatabaseError)" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("lanes", [(0,), (0, 3), (1, 2, 5)])
def test_the_oldest_due_event_is_found_in_any_lane(lanes: tuple[int, ...]) -> None:
    now = time.time()
    for age, lane in enumerate(lanes, start=1):
        stored_event(lane=lane, due_at=now - 100 * age)
    stored_event(lane=lanes[0], due_at=now + 60)
    with CaptureQueriesContext(connection) as asked:
        seconds = oldest_due_seconds(PIXEL, using="default", now=now)
    assert seconds == pytest.approx(100 * len(lanes), abs=0.01)
    assert len(asked) == len(lanes) + 1


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_many_workers_tell_it_once(heard: Heard, minutes_later: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where all of them look at once, as none would that respects the others' turn."""
    monkeypatch.setattr(alerts, "beat", lambda *arguments, **named: True)
    stop()
    for flip in (lambda: None, lambda: pixels.resume("default", PIXEL)):
        flip()
        barrier = threading.Barrier(6)

        def work(barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                minutes_later(0)
            finally:
                connections.close_all()

        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
    assert heard == [BEGAN_STOPPED, ENDED_STOPPED]


@pytest.mark.privacy
def test_the_log_names_the_pixel_and_nothing_else(minutes_later: Sweep, caplog: pytest.LogCaptureFixture) -> None:
    stop()
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="tiktok_attribution"):
        minutes_later(0)
    assert caplog.messages == [f"tiktok pixel {PIXEL}: stopped"]


def test_its_turn_is_a_heartbeat(minutes_later: Sweep) -> None:
    minutes_later(0)
    assert Heartbeat.objects.filter(pk=alerts.TURN).exists()
