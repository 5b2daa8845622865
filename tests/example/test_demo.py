"""The demonstration's own judgement, and the same judgement when something is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.example.conftest import EXAMPLE

# Its settings are its own, so it is the same whatever engine the run is for.
pytestmark = pytest.mark.on_engine("sqlite")

EVENTS = Counter(ViewContent=2, AddToCart=2, InitiateCheckout=1, Purchase=1, CompleteRegistration=1)
PATIENCE_SECONDS = 90.0  # beyond the lease of a worker that died in the middle of a batch


def test_demo_check_succeeds_and_shows_what_arrived() -> None:
    command = [sys.executable, "manage.py", "demo", "--check"]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.partition(" ")[0] in EVENTS]
    assert Counter(row[0] for row in rows) == EVENTS
    assert {tuple(row[2:5]) for row in rows} == {("yes", "yes", "1")}


@pytest.fixture
def looked_after(stage: Any) -> Iterator[Any]:
    """The stage with somebody who starts again what died."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            stage.look()

    thread = threading.Thread(target=look)
    thread.start()
    yield stage
    over.set()
    thread.join()


@pytest.mark.faults
@pytest.mark.parametrize("name", ["worker", "stand-in"])
def test_what_is_killed_midway_changes_nothing_in_the_count(demo: Any, looked_after: Any, name: str) -> None:
    before = _counted(demo, looked_after)
    visitor = demo.scripted_visitor.ScriptedVisitor(looked_after.site, looked_after.standin)
    visitor._email_of_this_one = f"ada.{name}@example.com"
    wait_until_paid = visitor._wait_until_paid

    def kill_and_wait() -> None:
        _kill(looked_after, name)
        wait_until_paid()

    visitor._wait_until_paid = kill_and_wait
    visitor.whole_path()
    looked_after.wait_until(
        lambda: _counted(demo, looked_after) - before == EVENTS and _is_complete(demo, looked_after),
        seconds=PATIENCE_SECONDS,
    )
    assert _counted(demo, looked_after) - before == EVENTS
    assert _is_complete(demo, looked_after)


def _counted(demo: Any, stage: Any) -> Counter[str]:
    """How often TikTok would count each event; nothing while the stand-in is down."""
    try:
        events = demo.report.state(stage.standin)["events"]
    except OSError:
        return Counter()
    counted: Counter[str] = Counter()
    for row in events:
        counted[row["event"]] += row["counted"]
    return counted


def _is_complete(demo: Any, stage: Any) -> bool:
    return bool(demo.report.is_complete(demo.report.state(stage.standin)["events"]))


def _kill(stage: Any, name: str) -> None:
    """SIGKILL, to the process and to those that it started: nothing is put in order before."""
    process = next(one.process for one in stage.processes if one.name == name)
    for pid in (process.pid, *_children(process.pid)):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
