"""The backfill that goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conversions.samples import PLAIN, row, rows
from tests.shop.models import Order
from tests.test_tasks import Sent, sent  # noqa: F401 -- a fixture
from tiktok_attribution import Conversion, tasks
from tiktok_attribution.conversions import backfill
from tiktok_attribution.conversions.backfill import backfill_recent
from tiktok_attribution.delivery import turns
from tiktok_attribution.models import Heartbeat

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
DATED = {**PLAIN, "time": "created_at"}
HOUR = 3600


def unseen(count: int = 1, *, hours_ago: float = 0.5) -> None:
    made = Order.objects.bulk_create([Order(status="paid", total=5) for _ in range(count)])
    moment = timezone.now() - timedelta(hours=hours_ago)
    Order.objects.filter(pk__in=[order.pk for order in made]).update(created_at=moment)


def runs_since(hours_ago: float) -> None:
    now = time.time()
    Heartbeat.objects.create(pk=backfill.FIRST, seen_at=now - hours_ago * HOUR)
    Heartbeat.objects.create(pk=backfill.DONE, seen_at=now - HOUR - 1)


def test_what_no_signal_saw_is_recorded(configure: Configure) -> None:
    configure(DATED)
    runs_since(100)
    unseen()
    assert backfill_recent() == {"recorded": 1}
    assert row().event_id == f"order-{Order.objects.get().pk}"
    assert backfill_recent() == {"known": 1}


def test_nothing_from_before_it_ran_first(configure: Configure) -> None:
    configure(DATED)
    unseen(hours_ago=0.5)
    assert backfill.is_due() is False
    assert backfill_recent()["recorded"] == 0
    Heartbeat.objects.update(seen_at=time.time() - 0.25 * HOUR)
    assert backfill_recent()["recorded"] == 0
    assert rows() == []


def test_no_further_back_than_the_setting_says(configure: Configure) -> None:
    configure(DATED, BACKFILL_HOURS=2)
    runs_since(100)
    unseen(hours_ago=1)
    unseen(hours_ago=3)
    assert backfill_recent()["recorded"] == 1


@pytest.mark.parametrize("options", [{"BACKFILL_HOURS": None}, {"ENABLED": False}])
def test_it_is_off_where_the_site_says_so(configure: Configure, options: Any) -> None:
    configure(DATED, **options)
    runs_since(100)
    unseen()
    assert not backfill.is_due()
    assert backfill_recent() == {}


def test_it_is_due_once_an_hour_for_one_process(configure: Configure) -> None:
    configure(DATED)
    now = time.time()
    assert [backfill.is_due(now=now + minute * 60) for minute in (0, 1, 59, 61, 62, 100, 122)] == [
        *(False, False, False),
        *(True, False, False, True),
    ]


def test_a_declaration_that_no_query_narrows_is_left_out(configure: Configure, register: Callable[..., Any]) -> None:
    class Lead(Conversion):
        event = "Lead"

        def event_time(self, obj: Order) -> Any:
            return obj.created_at

    configure({**PLAIN, "time": lambda order: order.created_at})
    register(Order)(Lead)
    runs_since(100)
    unseen()
    with CaptureQueriesContext(connection) as captured:
        assert backfill_recent() == {}
    assert not [query for query in captured if "shop_order" in query["sql"]]


def test_a_class_that_narrows_by_itself_is_looked_through(configure: Configure, register: Callable[..., Any]) -> None:
    class Lead(Conversion):
        event = "Lead"

        def event_time(self, obj: Order) -> Any:
            return obj.created_at

        def candidates_since(self, moment: Any) -> Any:
            return self.candidates().filter(created_at__gte=moment)

    configure()
    register(Order)(Lead)
    runs_since(100)
    unseen()
    assert backfill_recent() == {"recorded": 1}


def test_a_page_costs_the_same_however_many_it_holds(configure: Configure) -> None:
    configure(DATED)
    runs_since(100)
    costs = []
    for count in (1, 50):
        unseen(count)
        backfill_recent()
        with CaptureQueriesContext(connection) as captured:
            backfill_recent()
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 7  # the clock, when it ran first, the objects, visitors, known, invalid, and the end


def test_it_ends_between_two_pages_when_it_is_asked_to(configure: Configure) -> None:
    configure(DATED)
    runs_since(100)
    unseen(3)
    assert backfill_recent(stopping=lambda: True) == {}


@pytest.mark.faults
def test_a_table_that_can_not_be_read_keeps_no_other_from_it(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise DatabaseError

    configure(DATED)
    runs_since(100)
    monkeypatch.setattr(backfill, "backfill", fail)
    assert backfill_recent() == {}
    assert "could not read" in caplog.text


class TestWhoRunsIt:
    def test_the_sweep_asks_for_the_task_every_hour(self, configure: Configure, sent: Sent) -> None:  # noqa: F811
        configure(DATED)
        tasks.sweep()
        assert sent == []
        runs_since_before = time.time() - HOUR - 1
        Heartbeat.objects.filter(pk=backfill.DONE).update(seen_at=runs_since_before)
        tasks.sweep()
        tasks.sweep()
        assert sent == [("tiktok_attribution.backfill", ())]

    def test_the_task_records(self, configure: Configure) -> None:
        configure(DATED)
        runs_since(100)
        unseen()
        tasks.backfill()
        assert len(rows()) == 1

    @pytest.mark.django_db(transaction=True)
    def test_the_loop_records_and_sends(self, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
        configure(DATED)
        runs_since(100)
        unseen()

        def end(ending: Any, seconds: float) -> None:
            ending.set()

        monkeypatch.setattr("tiktok_attribution.management.commands.tiktok_deliver._wait", end)
        monkeypatch.setattr("tiktok_attribution.management.commands.tiktok_deliver.deliver_all", lambda **options: {})
        call_command("tiktok_deliver", loop=1.0)
        assert len(rows()) == 1

    @pytest.mark.faults
    def test_what_it_raises_breaks_no_sweep(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail() -> bool:
            raise ZeroDivisionError

        monkeypatch.setattr(turns, "_chores", {turns.BACKFILL: (fail, fail), turns.FINISH: (fail, fail)})
        assert not turns.chore_is_due(turns.BACKFILL)
        turns.run_chore(turns.FINISH)
        turns.run_chore("unknown")
        assert [record.message.partition(":")[0] for record in caplog.records] == ["tiktok"] * 2
