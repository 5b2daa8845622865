"""PostgreSQL goes away under the workers and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.account import server_account
from tests.engines.postgres import postgres
from tests.engines.server import DatabaseServer, MissingEngine
from tests.faults.invariant import every_event_is_counted_once_or_says_why_not
from tests.faults.site import Site

pytestmark = [
    pytest.mark.faults,
    pytest.mark.services,
    pytest.mark.on_engine("sqlite"),
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads a process's command line from /proc"),
]

EVENTS = 600
DOWN_SECONDS = 1.5
MANNERS = {"in order": signal.SIGINT, "as in a crash": signal.SIGQUIT}


class Engine:
    """A PostgreSQL of its own, which can be stopped and started on the same port with the same data."""

    def __init__(self, server: DatabaseServer, site: Site) -> None:
        self.site = replace(site, database_url=server.url())
        # What was committed must outlive a crash of the server, though not one of the machine.
        self.site.sql(f"ALTER ROLE {server.user} SET synchronous_commit = on")
        ((self._data,),) = self.site.sql("SHOW data_directory")
        self._pid = self._running_pid()
        self._command = Path(f"/proc/{self._pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        self._own: subprocess.Popen[bytes] | None = None

    def stop(self, manner: signal.Signals) -> None:
        os.kill(self._pid, manner)
        deadline = time.monotonic() + 15
        while self._answers():
            assert time.monotonic() < deadline, "PostgreSQL does not stop"
            time.sleep(0.05)
        time.sleep(0.2)

    def start(self) -> None:
        self.end()  # the one before is down by now, and wants to be waited for
        with (Path(self._data).parent / "log").open("ab") as log:
            self._own = subprocess.Popen(
                self._command, cwd=Path(self._data).parent, stdout=log, stderr=log, **server_account()
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.1)
        self._pid = self._own.pid

    def end(self) -> None:
        if self._own is not None:
            self._own.send_signal(signal.SIGINT)
            self._own.wait(15)
            self._own = None

    def _running_pid(self) -> int:
        ((text,),) = self.site.sql("SELECT pg_read_file('postmaster.pid')")
        return int(text.splitlines()[0])

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415 -- a run over another engine does not need the driver

        with suppress(psycopg.OperationalError):
            return bool(self.site.sql("SELECT 1"))
        return False


@contextmanager
def _private(site: Site) -> Iterator[Engine]:
    with postgres() as server:
        engine = Engine(server, site)
        try:
            yield engine
        finally:
            engine.end()


@pytest.fixture(scope="module")
def engine(shared_site: Site) -> Iterator[Engine]:
    try:
        with _private(shared_site) as engine:
            engine.site.manage("migrate", "--run-syncdb", "-v", "0")
            yield engine
    except MissingEngine as missing:
        pytest.skip(f"not on this machine: {missing}")


@pytest.mark.parametrize("manner", MANNERS)
def test_the_workers_go_on_when_the_database_is_back(engine: Engine, manner: str) -> None:
    site = engine.site
    site.clean()
    site.fill(EVENTS)
    site.standin.faults.latency_ms = 250  # so that much is left when the first has arrived
    with site.workers(2, FAULT_BATCH_SIZE="20") as workers:
        assert site.standin.ledger.wait_for(lambda ledger: ledger.event_total > 0, timeout_seconds=30)
        engine.stop(MANNERS[manner])
        time.sleep(DOWN_SECONDS)
        engine.start()
        left = site.waiting()
        site.settle()
        alive = [worker.poll() for worker in workers]

    assert left > 0  # or it came back when there was nothing left to do
    assert alive == [None, None], site.told()
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
