from __future__ import annotations

import inspect
import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, current_app

from tests.delivery.samples import PIXEL, fill, row, states, store
from tests.engines.server import free_port
from tiktok_attribution import tasks
from tiktok_attribution.delivery import manual, retention, turns
from tiktok_attribution.delivery.event_search import EventFilter
from tiktok_attribution.delivery.wakeup import WakeUps
from tiktok_attribution.models import BulkVerb, State
from tiktok_attribution.testing.server import StandIn

Sent = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Every message to the broker: the name of its task and its arguments."""
    messages: Sent = []

    def send_task(self: Celery, name: str, args: Any = None, *rest: Any, **options: Any) -> None:
        messages.append((name, tuple(args)))

    monkeypatch.setattr(Celery, "send_task", send_task)
    return messages


@pytest.fixture
def announcer(monkeypatch: pytest.MonkeyPatch) -> WakeUps:
    """A fresh one, with a connection of its own."""
    fresh = WakeUps(tasks._Broker().publish)
    monkeypatch.setattr(tasks, "_wake_ups", fresh)
    return fresh


@pytest.fixture
def broker(announcer: WakeUps, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`broker(url)` lets this test's hints go there."""
    connection_for_write = Celery.connection_for_write

    def point_at(url: str) -> None:
        monkeypatch.setattr(Celery, "connection_for_write", lambda self: connection_for_write(self, url))

    return point_at


@pytest.fixture
def eager() -> Iterator[None]:
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class TestTasks:
    def test_their_arguments_are_a_pixel_and_a_database_and_no_payload(self) -> None:
        parameters = {
            name: list(inspect.signature(task.run).parameters)
            for name, task in current_app.tasks.items()
            if name.startswith("tiktok_attribution.")
        }

        assert parameters == {
            "tiktok_attribution.deliver": ["pixel_code", "using", "holder"],
            "tiktok_attribution.sweep": [],
            "tiktok_attribution.backfill": [],
            "tiktok_attribution.fetch_spend": [],
            "tiktok_attribution.bulk": ["using"],
            "tiktok_attribution.prune": [],
        }

    @pytest.mark.django_db(transaction=True)
    def test_deliver_sends_what_is_due(self, tiktok_standin: StandIn) -> None:
        store([row(1, event_time=int(time.time()))])
        tasks.deliver(PIXEL)

        assert states() == {State.DELIVERED: 1}

    @pytest.mark.django_db
    def test_a_sweep_sends_one_task_a_pixel(self, sent: Sent) -> None:
        fill(5)
        store([row(1, pixel_code="ANOTHER", lane=2), row(2, pixel_code="ANOTHER", lane=3)])
        tasks.sweep()

        assert sent == [
            ("tiktok_attribution.deliver", ("ANOTHER", "default")),
            ("tiktok_attribution.deliver", (PIXEL, "default")),
        ]

    @pytest.mark.django_db
    def test_a_sweep_sends_one_task_for_the_jobs_of_a_database(self, sent: Sent) -> None:
        fill(5, state=State.REJECTED, due_at=None)
        for state in ("rejected", "cancelled"):
            manual.start(BulkVerb.RETRY, EventFilter(state=state), asked_by="1", using="default")
        tasks.sweep()

        assert sent == [("tiktok_attribution.bulk", ("default",))]

    @pytest.mark.django_db
    def test_a_job_ends_with_a_wake_up_for_what_is_due(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[tuple[str, str]] = []
        monkeypatch.setattr(tasks, "wake_worker", lambda pixel_code, using: told.append((pixel_code, using)))
        fill(1, state=State.REJECTED, due_at=None, event_time=int(time.time()))
        manual.start(BulkVerb.RETRY, EventFilter(), asked_by="1", using="default", everything=True)
        tasks.bulk("default")

        assert told == [(PIXEL, "default")]
        assert states() == {State.WAITING: 1}

    @pytest.mark.django_db
    def test_a_sweep_over_nothing_sends_nothing(self, sent: Sent) -> None:
        fill(3, state=State.DELIVERED, due_at=None)
        tasks.sweep()

        assert sent == []

    @pytest.mark.parametrize(("pruned", "goes_on"), [(49_999, False), (50_000, True)])
    def test_a_prune_goes_on_in_another_task_while_there_is_more(
        self, monkeypatch: pytest.MonkeyPatch, sent: Sent, pruned: int, goes_on: bool
    ) -> None:
        monkeypatch.setattr(retention, "prune_all", lambda most: Counter(events=min(pruned, most)))
        tasks.prune()

        assert [name for name, _ in sent] == ["tiktok_attribution.prune"] * goes_on


class TestHint:
    def test_it_becomes_a_task(self, announcer: WakeUps, sent: Sent) -> None:
        tasks.wake_worker(PIXEL, "default")

        assert eventually(lambda: sent == [("tiktok_attribution.deliver", (PIXEL, "default"))])

    def test_a_thousand_are_a_few_tasks(self, announcer: WakeUps, sent: Sent) -> None:
        for _ in range(1000):
            tasks.wake_worker(PIXEL, "default")
        time.sleep(0.6)

        assert 1 <= len(sent) <= 3

    def test_in_eager_mode_there_is_none(self, eager: None, announcer: WakeUps, sent: Sent) -> None:
        tasks.wake_worker(PIXEL, "default")

        assert announcer._thread is None

    @pytest.mark.faults
    def test_it_returns_at_once_while_the_broker_is_down(
        self, broker: Callable[[str], None], announcer: WakeUps, caplog: pytest.LogCaptureFixture
    ) -> None:
        broker(f"redis://127.0.0.1:{free_port()}/0")
        tasks.wake_worker(PIXEL, "default")  # the first one starts the thread
        started = time.monotonic()
        for _ in range(1000):
            tasks.wake_worker(PIXEL, "default")
        took = time.monotonic() - started

        assert took < 0.5
        assert eventually(lambda: "the broker accepts no wake-ups" in caplog.text, 20)

    @pytest.mark.faults
    def test_a_project_without_celery_gets_none(
        self, announcer: WakeUps, sent: Sent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(tasks, "current_app", Celery("default", set_as_current=False))
        tasks._has_celery.cache_clear()
        caplog.set_level("INFO")
        tasks.wake_worker(PIXEL, "default")
        tasks.wake_worker(PIXEL, "default")
        tasks._has_celery.cache_clear()
        time.sleep(0.2)

        assert sent == []
        assert caplog.text.count("no Celery app is loaded here") == 1

    def test_it_never_raises(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        def fail(*args: Any) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(WakeUps, "wake", fail)
        tasks.wake_worker(PIXEL, "default")

        assert "no worker was woken (RuntimeError); the sweep will deliver" in caplog.text

    @pytest.mark.services
    def test_it_reaches_a_real_broker(self, broker: Callable[[str], None], valkey_server: str) -> None:
        import redis  # noqa: PLC0415 -- with the extra of that name only

        broker(f"{valkey_server}/3")
        with redis.Redis.from_url(valkey_server, db=3) as client:
            client.flushdb()
            tasks.wake_worker(PIXEL, "default")

            assert eventually(lambda: client.llen("celery") == 1)

    @pytest.mark.services
    @pytest.mark.faults
    def test_a_connection_that_the_broker_dropped_costs_no_wake_up(
        self, broker: Callable[[str], None], valkey_server: str
    ) -> None:
        import redis  # noqa: PLC0415 -- with the extra of that name only

        broker(f"{valkey_server}/4")
        with redis.Redis.from_url(valkey_server, db=4) as client:
            client.flushdb()
            tasks.wake_worker(PIXEL, "default")
            eventually(lambda: client.llen("celery") == 1)
            client.client_kill_filter(_type="normal", skipme=True)
            tasks.wake_worker(PIXEL, "default")

            assert eventually(lambda: client.llen("celery") == 2)

    @pytest.mark.privacy
    def test_a_broker_that_is_away_is_logged_without_its_address(
        self, broker: Callable[[str], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="tiktok_attribution")
        broker(f"redis://:the-password@127.0.0.1:{free_port()}/0")
        tasks.wake_worker(PIXEL, "default")
        eventually(lambda: "the broker accepts no wake-ups" in caplog.text, 20)

        assert "the-password" not in "".join(
            record.getMessage() for record in caplog.records if record.name == "tiktok_attribution"
        )

    @pytest.mark.django_db
    def test_its_thread_leaves_djangos_connections_alone(
        self, announcer: WakeUps, sent: Sent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: PLC0415

        touched: list[str] = []
        for method in ("connect", "close"):
            monkeypatch.setattr(
                BaseDatabaseWrapper, method, lambda self: touched.append(threading.current_thread().name)
            )
        tasks.wake_worker(PIXEL, "default")
        eventually(lambda: len(sent) == 1)
        monkeypatch.undo()

        assert touched == []


FORKING = """
import os, sys, time
import django
django.setup()
from celery import Celery
import tests.worker
from tiktok_attribution import tasks

sent = []

def send_task(self, name, args=None, *rest, **options):
    os.write(1, f"{os.getpid()} {args[0]}\\n".encode())
    sent.append(args[0])
Celery.send_task = send_task

def hint(pixel):
    tasks.wake_worker(pixel, "default")
    end = time.monotonic() + 20
    while pixel not in sent and time.monotonic() < end:
        time.sleep(0.01)

hint("PARENT")
if os.fork() == 0:
    hint("CHILD")
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_wake_ups_survive_a_fork() -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING],
        cwd=root,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told = [line.split() for line in done.stdout.splitlines()]

    assert [pixel for _, pixel in told] == ["PARENT", "CHILD"], done.stderr
    assert told[0][0] != told[1][0]


def test_a_task_is_a_few_lines_over_a_plain_function(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, str]] = []
    monkeypatch.setattr(turns, "take_turn", lambda pixel_code, *, using, holder: called.append((pixel_code, using)))
    tasks.deliver(PIXEL, "other")

    assert called == [(PIXEL, "other")]
