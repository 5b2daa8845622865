"""A site's own tasks, in a worker that also delivers a long backlog."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.delivery.samples import PIXEL
from tests.faults.site import Site
from tests.faults.site_app import NOTE
from tests.worker import app

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

BACKLOG = int(os.environ.get("FAULT_BACKLOG") or 6000)  # .ci/full takes 100,000; in a second 200 are sent
TASKS = 20
EVERY_SECONDS = 0.3
MOST_SECONDS = 1.0
SLOW_FOR_THE_MACHINE = 1  # of the tasks
WAKEUP_SECONDS = 0.25  # the app's default
WORKER = ("-m", "celery", "-A", "tests.faults.site_app", "worker", "--concurrency=2", "-l", "INFO")


@pytest.fixture
def broker_url(valkey_server: str) -> str:
    import redis  # noqa: PLC0415 -- with the extra of that name only

    url = f"{valkey_server}/7"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def paced_site(site: Site, broker_url: str) -> Site:
    environment = {"DJANGO_SETTINGS_MODULE": "tests.faults.paced", "TEST_BROKER_URL": broker_url}
    return replace(site, environment=environment)


@contextmanager
def wake_ups(broker_url: str) -> Iterator[None]:
    """A sweep, and then the hints of a shop that sells all the time."""
    ending = threading.Event()

    def publish() -> None:
        with app.connection_for_write(broker_url) as connection:
            app.send_task("tiktok_attribution.sweep", connection=connection, ignore_result=True)
            while not ending.wait(WAKEUP_SECONDS):
                arguments = (PIXEL, "default")
                app.send_task("tiktok_attribution.deliver", arguments, connection=connection, ignore_result=True)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(5)


def publish_tasks(broker_url: str, notes: Path) -> list[float]:
    """One task after another; when each was published."""
    published = []
    with app.connection_for_write(broker_url) as connection:
        for number in range(TASKS):
            published.append(time.time())
            app.send_task(NOTE, (str(notes), number), connection=connection, ignore_result=True)
            time.sleep(EVERY_SECONDS)
    return published


def finished(notes: Path) -> dict[int, float]:
    lines = notes.read_text().splitlines() if notes.exists() else []
    return {int(number): float(at) for number, at in map(str.split, lines)}


def wait_until_all_finished(notes: Path, *, seconds: float) -> None:
    """No longer than that: who is late then is late enough to fail."""
    deadline = time.monotonic() + seconds
    while len(finished(notes)) < TASKS and time.monotonic() < deadline:
        time.sleep(0.1)


def test_tasks_of_the_site_begin_at_once_while_a_backlog_is_delivered(
    paced_site: Site, broker_url: str, tmp_path: Path
) -> None:
    site, notes = paced_site, tmp_path / "notes"
    site.fill(BACKLOG)
    with site.workers(1, *WORKER), wake_ups(broker_url):
        # Long enough for hints to have reached both processes.
        assert site.standin.ledger.wait_for(lambda ledger: ledger.event_total >= 400, timeout_seconds=60), site.told()
        sent_before = site.standin.ledger.event_total
        published = publish_tasks(broker_url, notes)
        sent_meanwhile = site.standin.ledger.event_total - sent_before
        wait_until_all_finished(notes, seconds=3)
        left = site.waiting()
    at = finished(notes)
    took = [at.get(number, math.inf) - begun for number, begun in enumerate(published)]
    each = ", ".join(f"{seconds:.2f}" for seconds in took)
    print(f"seconds that each task took: {each}")  # noqa: T201 -- for who wants to know how close it is

    assert left > 0  # or the tasks had nothing to wait for
    assert sent_meanwhile >= 200  # a second's worth, in six
    assert sorted(took)[TASKS - 1 - SLOW_FOR_THE_MACHINE] < MOST_SECONDS, each
