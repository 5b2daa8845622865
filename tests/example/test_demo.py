"""The demonstration's own judgement, and the same judgement when something is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.example.conftest import EXAMPLE, running

# Its settings are its own, so it is the same whatever engine the run is for.
pytestmark = pytest.mark.on_engine("sqlite")

EVENTS = Counter(ViewContent=2, AddToWishlist=1, AddToCart=2, InitiateCheckout=1, Purchase=1, CompleteRegistration=1)
PATIENCE_SECONDS = 90.0  # beyond the lease of a worker that died in the middle of a batch


def test_demo_check_succeeds_and_shows_what_arrived() -> None:
    # Ada's whole path, and five more orders of what somebody landed on: Ada's second, Ben's, Cleo's, Dora's, Emil's.
    order = Counter(ViewContent=1, AddToCart=1, InitiateCheckout=1, Purchase=1)
    everybody = Counter({name: EVENTS[name] + 5 * order[name] for name in EVENTS})
    command = [sys.executable, "manage.py", "demo", "--check"]
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.partition(" ")[0] in EVENTS]
    assert Counter(row[0] for row in rows) == everybody
    assert {tuple(row[2:5]) for row in rows} == {("yes", "yes", "1")}
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "Spring teapots 2 158.00 12.00 40.00 3.9500 20.00 2 20.00" in lines
    assert "Evening tea 1 29.40 0.00 42.00 0.7000 42.00 0 -" in lines
    assert "Matcha at home 1 38.00 0.00 18.00 2.1111 18.00 1 18.00" in lines
    assert "TikTok's ads 4 225.40 12.00 100.00 2.2540 25.00 3 33.33" in lines
    assert "blended_roas: 2.6580" in lines
    assert "<--" not in done.stdout


@pytest.mark.faults
@pytest.mark.parametrize("name", ["worker", "stand-in"])
def test_what_is_killed_midway_changes_nothing_in_the_count(demo: Any, tmp_path: Path, name: str) -> None:
    with running(demo, tmp_path) as stage:
        visitor = demo.scripted_visitor.ScriptedVisitor(stage.site, stage.standin)
        visitor._wait_until_paid = _after(lambda: _kill(stage, name), visitor._wait_until_paid)
        path = threading.Thread(target=visitor.whole_path)
        path.start()
        assert stage.wait_until(lambda: not path.is_alive()), "the visitor did not come to the end"
        assert stage.wait_until(lambda: _counted(demo, stage) == EVENTS, PATIENCE_SECONDS), _counted(demo, stage)
        assert demo.report.is_complete(demo.report.state(stage.standin)["events"])
        assert [process.name for process in stage.processes if process.starts > 1] == [name]


def _after(first: Callable[[], None], then: Callable[[], None]) -> Callable[[], None]:
    def both() -> None:
        first()
        then()

    return both


def _counted(demo: Any, stage: Any) -> Counter[str]:
    """How often TikTok would count each event that arrived on both channels; nothing while the stand-in is down."""
    try:
        events = demo.report.state(stage.standin)["events"]
    except OSError:
        return Counter()
    counted: Counter[str] = Counter()
    for row in events:
        counted[row["event"]] += row["counted"] if row["browser_at"] and row["server_at"] else 0
    return counted


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
