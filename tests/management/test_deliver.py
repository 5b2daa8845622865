from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from io import StringIO
from typing import Any

import django
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from tests.delivery.samples import PIXEL, fill, row, states, store
from tiktok_attribution.delivery import lanes, manual
from tiktok_attribution.delivery.event_search import EventFilter
from tiktok_attribution.management.commands import tiktok_deliver
from tiktok_attribution.models import BulkVerb, Heartbeat, OutboxEvent, State
from tiktok_attribution.testing.server import StandIn

pytestmark = pytest.mark.django_db(transaction=True)


def due_now(count: int) -> None:
    now = time.time()
    store([row(number, event_time=int(now), due_at=now - 1) for number in range(count)])


def run(**options: object) -> str:
    told = StringIO()
    call_command("tiktok_deliver", stdout=told, stderr=StringIO(), **options)
    return told.getvalue()


def test_it_sends_what_is_due_and_says_so(tiktok_standin: StandIn) -> None:
    due_now(3)

    assert run() == "3 delivered (1 requests)\n"
    assert states() == {State.DELIVERED: 3}


def test_it_works_on_the_jobs_of_the_admin_first(tiktok_standin: StandIn) -> None:
    due_now(3)
    OutboxEvent.objects.update(state=State.REJECTED, due_at=None)
    manual.start(BulkVerb.RETRY, EventFilter(), asked_by="1", using="default", everything=True)

    assert run() == "3 delivered (1 requests)\n"


def test_it_says_when_nothing_was_due(tiktok_standin: StandIn) -> None:
    assert run() == "nothing was due (0 requests)\n"


def test_it_says_which_pixel_is_stopped_and_how_many_events_wait(tiktok_standin: StandIn) -> None:
    tiktok_standin.faults.add("token_revoked", times=None)
    due_now(2)
    run()
    told = StringIO()
    call_command("tiktok_deliver", stdout=StringIO(), stderr=told)

    assert f"Pixel {PIXEL} is stopped, and 2 events wait: 40105 Access token is incorrect" in told.getvalue()


def test_it_fails_when_something_could_not_be_sent(monkeypatch: pytest.MonkeyPatch, tiktok_standin: StandIn) -> None:
    def fail(*args: object) -> None:
        raise DatabaseError

    due_now(1)
    monkeypatch.setattr(lanes, "lanes_with_work", fail)

    with pytest.raises(CommandError, match="could not be sent and wait; the log says why"):
        run()


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_a_loop_without_a_pause_is_refused(seconds: str) -> None:
    with pytest.raises(CommandError, match="is not a number of seconds above 0"):
        call_command("tiktok_deliver", f"--loop={seconds}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_loop_goes_on_until_it_is_asked_to_end(tiktok_standin: StandIn, number: signal.Signals) -> None:
    def later() -> None:
        tiktok_standin.ledger.wait_for(lambda ledger: ledger.event_total > 0, timeout_seconds=30)
        time.sleep(0.3)  # so that it goes on
        os.kill(os.getpid(), number)

    due_now(1)
    before = signal.getsignal(number)
    threading.Thread(target=later).start()
    told = run(loop=0.05)

    assert told == "1 delivered (1 requests)\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("is_stopped", [False, True], ids=["nothing is there", "a stopped pixel's events wait"])
def test_rounds_without_work_write_nothing_more_often_than_once_a_minute(
    settings: Any, tiktok_standin: StandIn, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    """On SQLite each write, even one that changes no row, may fail a page of the site that has read and then writes."""
    settings.ADMINS = [("Ann", "ann@example.com")] if django.VERSION < (6,) else ["ann@example.com"]
    if is_stopped:
        due_now(2)
        tiktok_standin.faults.add("token_revoked", times=None)
    rounds: list[list[str]] = [[]]

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        rounds[-1].append(sql)
        return execute(sql, params, many, context)

    def next_round(ending: threading.Event, seconds: float) -> None:
        if len(rounds) == 1:  # what is due each minute, hour and day has just been done
            Heartbeat.objects.exclude(name__endswith="-at").update(seen_at=time.time())
        ending.set() if len(rounds) == 4 else rounds.append([])

    monkeypatch.setattr(tiktok_deliver, "_wait", next_round)
    with connection.execute_wrapper(note):
        run(loop=1)

    assert len(rounds) == 4
    for asked in rounds[1:]:
        assert asked
        assert [sql for sql in asked if not sql.startswith(("SELECT", "SET "))] == []  # MySQL sets what a session is


@pytest.mark.faults
def test_a_loop_survives_a_round_that_fails(
    tiktok_standin: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, rounds = lanes.lanes_with_work, []

    def fail_once(using: str, pixel_code: str, now: float) -> object:
        rounds.append(now)
        if len(rounds) == 1:
            raise DatabaseError
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return real(using, pixel_code, now)

    due_now(1)
    monkeypatch.setattr(lanes, "lanes_with_work", fail_once)
    told = run(loop=0.05)

    assert told == "1 failed (0 requests)\n1 delivered (1 requests)\n"
    assert f"tiktok pixel {PIXEL}" in caplog.text


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_ended_during_a_post_marks_that_batch_and_sends_no_other(
    tiktok_standin: StandIn, child_environment: dict[str, str], number: signal.Signals
) -> None:
    tiktok_standin.faults.latency_ms = 1500
    due_now(2)
    script = (
        "import django; django.setup()\n"
        "from django.conf import settings\n"
        f"settings.TIKTOK_ATTRIBUTION |= {{'API_URL': {tiktok_standin.api_url!r}, 'BATCH_SIZE': 1}}\n"
        "from django.core.management import call_command\n"
        "call_command('tiktok_deliver', '--loop=1')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=child_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert tiktok_standin.ledger.wait_for(lambda ledger: ledger.event_total == 1, timeout_seconds=30)
        process.send_signal(number)
        told, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()

    assert (process.returncode, told, errors) == (0, "1 delivered (1 requests)\n", "")
    assert states() == {State.DELIVERED: 1, State.WAITING: 1}


def test_rows_that_are_not_due_yet_are_left(tiktok_standin: StandIn) -> None:
    fill(1, due_at=time.time() + 60)
    run()

    assert states() == {State.WAITING: 1}
