"""Moments that several machines compare come from the database."""

from __future__ import annotations

import io
import time

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.delivery.conftest import Deliver
from tests.delivery.samples import NOW, PIXEL, FakeClient, fill, row, states
from tiktok_attribution import conf
from tiktok_attribution.delivery import clock, lanes, repair
from tiktok_attribution.delivery.clock import DatabaseNow, clock_of, database_time
from tiktok_attribution.delivery.figures import figures
from tiktok_attribution.delivery.outbox import insert
from tiktok_attribution.delivery.post import lease_seconds
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.doctor.pixels import pixel_results
from tiktok_attribution.models import Lane, OutboxEvent, State

pytestmark = pytest.mark.django_db

HOUR = 3600.0
HAS_A_CLOCK = connection.vendor != "sqlite"


def test_it_is_the_time_of_day() -> None:
    assert database_time("default") == pytest.approx(time.time(), abs=30)


def test_an_event_is_due_by_the_database_whatever_the_web_server_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time()
    ahead = HOUR if HAS_A_CLOCK else 0.0  # SQLite runs on this machine
    monkeypatch.setattr(time, "time", lambda: right + ahead)
    insert(row(1, due_at=DatabaseNow()), "default")
    insert(row(2, due_at=None, unfinished_since=DatabaseNow()), "default")

    first, second = OutboxEvent.objects.order_by("pk")
    assert first.due_at == pytest.approx(right, abs=30)
    assert (first.unfinished_since, second.due_at) == (None, None)
    assert second.unfinished_since == pytest.approx(right, abs=30)


def test_a_process_asks_it_once_and_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with CaptureQueriesContext(connection) as asked:
        now = clock_of("default")
        before = [now() for _ in range(100)]
    assert before == sorted(before)
    assert len(asked) == int(HAS_A_CLOCK)


def test_it_asks_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([5.0, 7.0])
    monkeypatch.setattr(clock, "sql", lambda vendor: "an engine's own clock")
    monkeypatch.setattr(clock, "database_time", lambda using: next(answers))
    monkeypatch.setattr(clock, "ASK_AGAIN_SECONDS", -1.0)
    now = clock_of("default")
    assert now() == pytest.approx(7.0, abs=0.001)


@pytest.mark.parametrize("ahead", [HOUR, 24 * HOUR])
def test_no_lease_reaches_further_than_a_lease(ahead: float) -> None:
    lanes.lease("default", PIXEL, 0, now=NOW + ahead, seconds=60)

    assert lanes.lease("default", PIXEL, 0, now=NOW, seconds=60) is None
    assert lanes.lease("default", PIXEL, 0, now=NOW + 59, seconds=60) is None
    assert lanes.lease("default", PIXEL, 0, now=NOW + 61, seconds=60) is not None


def test_no_pace_reaches_further_than_a_pace() -> None:
    Lane.objects.create(pixel_code=PIXEL, number=0, next_at=NOW + HOUR)
    lease = lanes.lease("default", PIXEL, 0, now=NOW, seconds=60, most_pace_seconds=1.0)

    assert lease is not None
    assert lease.next_at == NOW + 1


@pytest.mark.parametrize("ahead", [HOUR, 24 * HOUR])
def test_what_a_clock_that_was_set_back_has_put_off_is_sent(client: FakeClient, deliver: Deliver, ahead: float) -> None:
    fill(3, due_at=NOW + ahead + 7, unknown_since=NOW + ahead)
    Lane.objects.create(pixel_code=PIXEL, number=0, next_at=NOW + ahead, leased_until=NOW + ahead, holder="dead")

    assert repair.repair("default", now=NOW) == 1
    assert {one.unknown_since for one in OutboxEvent.objects.all()} == {NOW}
    assert Lane.objects.get().leased_until == NOW + 60
    assert repair.repair("default", now=NOW + 61) == 0
    Lane.objects.update(leased_until=NOW)
    deliver()
    assert states() == {State.DELIVERED: 3}


def test_events_that_rightly_wait_are_left_waiting() -> None:
    fill(3, due_at=NOW + HOUR)
    Lane.objects.create(pixel_code=PIXEL, number=0, next_at=NOW + 1, leased_until=NOW + 60, holder="alive")

    assert repair.repair("default", now=NOW) == 0
    assert set(OutboxEvent.objects.values_list("due_at", flat=True)) == {NOW + HOUR}


@pytest.mark.parametrize("ahead", [HOUR, 24 * HOUR])
def test_what_is_put_off_is_told(ahead: float) -> None:
    fill(3, due_at=NOW)
    lane = Lane.objects.create(pixel_code=PIXEL, number=0)
    (well,) = figures(now=NOW)
    OutboxEvent.objects.update(due_at=NOW + ahead)
    (events,) = figures(now=NOW)
    lane.leased_until = NOW + ahead
    lane.save()
    (leased,) = figures(now=NOW)

    settings = conf.current()
    assert well.put_off_seconds == 0
    assert events.put_off_seconds == max(ahead - settings.retry_max_seconds, 0)
    assert leased.put_off_seconds == ahead - lease_seconds(settings)
    assert [one.id for one in pixel_results([leased])] == [f"put-off-{PIXEL}"]


def test_machines_whose_clocks_differ_share_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time()
    ahead = HOUR if HAS_A_CLOCK else 0.0  # SQLite runs on this machine
    took = beat("turn", using="default")
    monkeypatch.setattr(time, "time", lambda: right + ahead)

    assert (took, beat("turn", using="default")) == (True, False)


def test_a_run_by_hand_takes_back_what_was_put_off() -> None:
    now = database_time("default")
    Lane.objects.create(pixel_code=PIXEL, number=0, leased_until=now + HOUR)
    call_command("tiktok_deliver", stdout=io.StringIO())

    assert Lane.objects.get().leased_until < now + HOUR - 1


@pytest.mark.parametrize("ahead", [HOUR, 24 * HOUR])
def test_a_turn_that_one_process_takes_an_hour_is_not_lost_for_a_day(ahead: float) -> None:
    assert beat("turn", using="default", now=NOW + ahead)
    assert beat("turn", using="default", now=NOW)
    assert not beat("turn", using="default", now=NOW + 59)
    assert seen_at("turn", using="default") == NOW
