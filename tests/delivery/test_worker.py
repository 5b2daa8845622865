"""A real Celery worker, with a real Valkey and a real PostgreSQL: from a committed order to the stand-in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines.server import DatabaseServer
from tests.worker import app
from tiktok_attribution.testing.server import StandIn

# The engines are the subject here, so it runs once, whichever engine the run is for.
pytestmark = [pytest.mark.services, pytest.mark.on_engine("sqlite")]

ROOT = Path(__file__).parents[2]
DATABASE = "worker_tests"
ORDERS = """
import django, sys, time
django.setup()
import tests.worker
from tests.shop.models import Order
for number in range(int(sys.argv[1])):
    Order.objects.create(status="paid", total=10, email=f"buyer{number}@shop.example")
time.sleep(1)  # a web process lives on; the hint of this one must leave before it ends
"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site's processes, its database and its broker; output goes to `log`."""

    environment: dict[str, str]
    database_url: str
    broker_url: str
    log: Path

    def run(self, *command: str) -> None:
        with self.log.open("ab") as output:
            subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
                timeout=120,
                check=True,
            )

    def sell(self, orders: int) -> None:
        self.run("-c", ORDERS, str(orders))

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.worker", "worker", "--concurrency=1", "-l", "INFO"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that its children can be ended with it
            )
        try:
            yield process
        finally:
            kill(process)

    def sweep(self) -> None:
        """What Celery beat does."""
        with app.connection_for_write(self.broker_url) as connection:
            app.send_task("tiktok_attribution.sweep", connection=connection, ignore_result=True)

    def states(self) -> dict[str, int]:
        import psycopg  # noqa: PLC0415 -- a run over another engine does not need the driver

        with psycopg.connect(self.database_url) as connection:
            counts = connection.execute("SELECT state, count(*) FROM tiktok_attribution_outboxevent GROUP BY state")
            return dict(counts.fetchall())

    def wait_for(self, states: dict[str, int], *, sweeping: bool = False, seconds: float = 60) -> None:
        """Until the outbox looks like that; its log is shown where it never does."""
        deadline = time.monotonic() + seconds
        while (found := self.states()) != states:
            if time.monotonic() > deadline:
                pytest.fail(f"{found}, not {states}:\n{self.log.read_text(errors='replace')[-8000:]}")
            if sweeping:
                self.sweep()
            time.sleep(0.5)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, for the worker and its pool: nothing of it can clean up."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def site(postgres_server: DatabaseServer, valkey_server: str, standin: StandIn, tmp_path: Path) -> Site:
    import psycopg  # noqa: PLC0415 -- a run over another engine does not need the driver
    import redis  # noqa: PLC0415 -- with the extra of that name only

    with psycopg.connect(as_psycopg(postgres_server.url()), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    broker_url = f"{valkey_server}/5"
    with redis.Redis.from_url(broker_url) as client:
        client.flushdb()
    site = Site(
        environment=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "tests.delivery.worker_settings",
            "TEST_DATABASE_URL": postgres_server.url(DATABASE),
            "TEST_BROKER_URL": broker_url,
            "TEST_STANDIN_URL": standin.api_url,
            "PYTHONPATH": str(ROOT),
        },
        database_url=as_psycopg(postgres_server.url(DATABASE)),
        broker_url=broker_url,
        log=tmp_path / "log",
    )
    site.run("-m", "django", "migrate", "--run-syncdb", "-v", "0")
    return site


def as_psycopg(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


def counted(standin: StandIn) -> int:
    return sum(row.counted for row in standin.ledger.events())


def test_committed_orders_are_delivered_by_a_wake_up_alone(site: Site, standin: StandIn) -> None:
    with site.worker():
        site.sell(20)
        site.wait_for({"delivered": 20})

    assert (len(standin.ledger.events()), counted(standin)) == (20, 20)


def test_what_nobody_announced_is_found_by_a_sweep(site: Site, standin: StandIn) -> None:
    import redis  # noqa: PLC0415 -- with the extra of that name only

    site.sell(5)
    with redis.Redis.from_url(site.broker_url) as client:
        client.flushdb()
    with site.worker():
        site.sweep()
        site.wait_for({"delivered": 5})

    assert counted(standin) == 5


@pytest.mark.faults
def test_a_worker_that_is_killed_during_a_post_costs_no_event_and_counts_none_twice(
    site: Site, standin: StandIn
) -> None:
    site.sell(200)
    standin.faults.latency_ms = 10_000  # so that the kill cannot come too late
    with site.worker() as worker:
        site.sweep()
        assert standin.ledger.wait_for(lambda ledger: ledger.event_total > 0, timeout_seconds=60)
        kill(worker)
    after_the_kill = site.states()
    standin.faults.latency_ms = 0
    with site.worker():
        site.wait_for({"delivered": 200}, sweeping=True)
    events = standin.ledger.events()

    assert after_the_kill == {"waiting": 200}
    assert (len(events), counted(standin)) == (200, 200)
    assert any(row.repeats for row in events)  # or the kill came too early to test anything
