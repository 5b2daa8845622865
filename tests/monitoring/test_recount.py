"""The long rounds: in short steps that any process takes, each hour once a round, and never over the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from tests.admin.samples import stored_event
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.models import Heartbeat, HourlyStatistics, OutboxEvent, State, moment
from tiktok_attribution.monitoring import hourly_statistics
from tiktok_attribution.monitoring.hourly_statistics import (
    HOUR,
    LATE,
    STEP_SECONDS,
    WHOLE,
    go_on,
    refresh_all,
    refresh_recent,
)

pytestmark = pytest.mark.django_db
NOW = time.time()
DAY = 86_400
Counted = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], int]:
    """Each test begins with an hour at once."""
    fresh: dict[tuple[str, str], int] = {}
    monkeypatch.setattr(hourly_statistics, "_at_once", fresh)
    return fresh


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Which stretches were counted, from and to; counting itself is left out, as if each held something."""
    stretches: Counted = []

    def count(start: int, end: int, using: str) -> bool:
        stretches.append((start, end))
        return True

    monkeypatch.setattr(hourly_statistics, "_replace", count)
    return stretches


def step(seconds: float = 0, *, now: float = NOW) -> None:
    go_on(WHOLE, using="default", now=now, seconds=seconds)


def hours_of(stretches: Counted) -> list[int]:
    return [hour for start, end in stretches for hour in range(start, end, HOUR)]


def test_a_step_without_time_counts_one_hour(counted: Counted) -> None:
    step()
    assert len(hours_of(counted)) == 1


def test_steps_go_on_where_the_last_one_ended_newest_first(counted: Counted) -> None:
    for _ in range(5):
        step()
    this_hour = int(NOW) // HOUR * HOUR
    assert [(end - start) // HOUR for start, end in counted] == [1, 2, 4, 8, 16]
    assert sorted(hours_of(counted)) == [this_hour - HOUR * back for back in reversed(range(31))]


def test_after_full_hours_fewer_are_counted_at_once(counted: Counted, pace: dict[tuple[str, str], int]) -> None:
    pace["default", WHOLE.name] = 16
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hourly_statistics, "SHORT_SECONDS", 0)  # so every stretch takes longer
        step()
    assert pace == {("default", WHOLE.name): 8}


def test_a_round_counts_each_hour_once_and_ends(counted: Counted) -> None:
    step(60)
    assert sorted(hours_of(counted)) == [int(NOW) // HOUR * HOUR - HOUR * back for back in reversed(range(WHOLE.hours))]
    assert seen_at(WHOLE.name, using="default") == NOW


def test_empty_hours_are_counted_many_at_once(counted: Counted) -> None:
    step(60)
    assert len(counted) < WHOLE.hours / 15


def test_full_hours_are_counted_singly(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hourly_statistics, "SHORT_SECONDS", 0)  # so every stretch takes longer
    step(60)
    assert len(counted) == WHOLE.hours


def test_a_step_ends_in_time(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(start: int, end: int, using: str) -> bool:
        counted.append((start, end))
        time.sleep(0.06 * (end - start) / HOUR)
        return True

    monkeypatch.setattr(hourly_statistics, "_replace", slow)
    began = time.monotonic()
    step(STEP_SECONDS)
    assert time.monotonic() - began < STEP_SECONDS + 0.5
    assert 1 < len(counted) < 12


def test_a_round_that_is_done_is_not_begun_again_before_its_time(counted: Counted) -> None:
    step(60)
    counted.clear()
    step(60, now=NOW + DAY - 60)
    assert counted == []
    step(60, now=NOW + DAY)
    assert len(hours_of(counted)) == WHOLE.hours


def test_a_round_that_takes_days_does_not_count_what_has_fallen_out(counted: Counted) -> None:
    step()
    Heartbeat.objects.filter(pk=WHOLE.cursor).update(seen_at=int(NOW) // HOUR * HOUR - 30 * DAY)
    counted.clear()
    step(60, now=NOW + 2 * DAY)
    assert counted == []
    assert seen_at(WHOLE.cursor, using="default") == 0


def test_the_overview_goes_on_with_the_first_round_and_then_leaves_it_alone(counted: Counted) -> None:
    for minute in range(3):
        refresh_recent(using="default", now=NOW + 60 * minute, seconds=0)
    assert len(hours_of(counted)) == 3 * 3 + 1 + 2 + 4
    beat(WHOLE.name, using="default", now=NOW)
    counted.clear()
    refresh_recent(using="default", now=NOW + 300, seconds=0)
    assert len(hours_of(counted)) == 3


def test_a_sweep_takes_a_step_of_each_round(counted: Counted) -> None:
    refresh_all(now=NOW, seconds=0)
    assert sorted(end - start for start, end in counted) == [HOUR, HOUR, 3 * HOUR]
    assert seen_at(LATE.cursor, using="default")


def test_what_became_of_an_old_event_is_counted_in_the_end() -> None:
    stored_event(created_at=moment(NOW - 20 * DAY))
    for _ in range(100):
        refresh_all(now=NOW, seconds=0.05)
    assert HourlyStatistics.objects.get().recorded == 1


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_two_processes_share_a_round(counted: Counted) -> None:
    def work() -> None:
        try:
            for _ in range(200):
                step(0.05)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found: Any = hours_of(counted)
    assert len(found) == len(set(found)) == WHOLE.hours


def writes(run: Callable[[], Any]) -> list[str]:
    """The statements that were more than a look."""
    with CaptureQueriesContext(connection) as asked:
        run()
    return [one["sql"] for one in asked.captured_queries if not one["sql"].startswith("SELECT")]


def test_hours_that_are_counted_alike_cost_no_write() -> None:
    event = stored_event(created_at=moment(NOW - 60))
    hourly_statistics.count_again(3, using="default", now=NOW)
    stored = list(HourlyStatistics.objects.values())
    assert writes(lambda: hourly_statistics.count_again(3, using="default", now=NOW)) == []
    assert list(HourlyStatistics.objects.values()) == stored

    OutboxEvent.objects.filter(pk=event.pk).update(state=State.CANCELLED)
    assert writes(lambda: hourly_statistics.count_again(3, using="default", now=NOW)) != []
    assert HourlyStatistics.objects.get(recorded=1).cancelled == 1


def test_hours_in_which_nothing_happened_are_claimed_at_once() -> None:
    stored_event(created_at=moment(NOW - 20 * DAY))
    HourlyStatistics.objects.create(
        hour=int(NOW) // HOUR * HOUR - 10 * DAY, pixel_code="GONE", name="Purchase", recorded=1
    )
    assert len(writes(lambda: step(60))) < 30  # hour by hour it was 30 places alone
    assert [counts.recorded for counts in HourlyStatistics.objects.all()] == [1]
    assert not HourlyStatistics.objects.filter(pixel_code="GONE").exists()


def test_an_event_that_came_late_in_the_order_of_keys_is_counted() -> None:
    """Two transactions: the one with the higher key was begun ten minutes before the other."""
    hour = int(NOW) // HOUR * HOUR - 5 * DAY
    for second, name in ((60, "Search"), (-540, "Contact")):
        row = stored_event(name=name)
        OutboxEvent.objects.filter(pk=row.pk).update(created_at=moment(hour + second))
    step(60)
    assert dict(HourlyStatistics.objects.values_list("name", "hour")) == {"Search": hour, "Contact": hour - HOUR}
