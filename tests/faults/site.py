"""A site under test: its processes, its PostgreSQL and the stand-in that it sends to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pytest_django import DjangoDbBlocker

from tests.faults.fill import fill
from tiktok_attribution.testing.server import StandIn

ROOT = Path(__file__).parents[2]
LOOP = ("-m", "django", "tiktok_deliver", "--loop", "0.1")
CELERY = ("-m", "celery", "-A", "tests.worker", "worker", "--concurrency=1", "-l", "INFO")
OUTBOX = "tiktok_attribution_outboxevent"
BODIES = "tiktok_attribution_eventbody"
LANE = "tiktok_attribution_lane"
ATTEMPT = "tiktok_attribution_attempt"
PATIENT = {"FAULT_TIMEOUT_SECONDS": "30"}  # for workers that a machine which stalls must not make send again

Process = subprocess.Popen[bytes]


class Row(NamedTuple):
    """What the outbox says of an event; `told` is what the admin shows beside it: the pixel's trouble."""

    event_id: str
    state: str
    note: str
    told: str


class NeverSettled(AssertionError):
    """What was waited for did not come; the message ends with the processes' log."""


@dataclass(kw_only=True)
class Site:
    """`database_url` in Django's form of this project (`postgres://`); output goes to `log`."""

    database_url: str
    standin: StandIn
    log: Path
    blocker: DjangoDbBlocker
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, seconds: float = 60, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """A process to its end, however that came."""
        with self.log.open("ab") as output:
            return subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env=self._environment(environment),
                stdout=subprocess.PIPE,
                stderr=output,
                timeout=seconds,
                check=False,
            )

    def manage(self, *command: str) -> str:
        """A management command that must succeed; its output."""
        done = self.run("-m", "django", *command)
        assert done.returncode == 0, self.told()
        return done.stdout.decode()

    def fill(self, count: int, *, lanes: int = 4) -> None:
        """Commit `order-0` …; from this process, for another would take longer to start than to fill."""
        with self.blocker.unblock():
            fill(self.database_url, count, lanes=lanes)

    def start(self, *command: str, **environment: str) -> Process:
        """A process of its own session, so that its children can be killed with it."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self._environment(environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @contextmanager
    def workers(self, count: int, *command: str, **environment: str) -> Iterator[list[Process]]:
        """So many at once, killed at the end; `tiktok_deliver --loop` unless another command is given."""
        with ExitStack() as ending:
            started: list[Process] = []
            ending.callback(lambda: [kill(process) for process in started])
            started += [self.start(*(command or LOOP), **environment) for _ in range(count)]
            yield started

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement, committed."""
        import psycopg  # noqa: PLC0415 -- a run over another engine does not need the driver

        url = self.database_url.replace("postgres://", "postgresql://", 1)
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type] -- the suite's own constants
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[Row]:
        """Every event that was committed."""
        found = self.sql(
            f"SELECT event_id, state, note, coalesce(message, '') FROM {OUTBOX} JOIN {BODIES} USING (id) "  # noqa: S608
            "LEFT JOIN tiktok_attribution_pixelstatus pixel "
            f"ON pixel.pixel_code = {OUTBOX}.pixel_code AND pixel.stopped_at IS NOT NULL"
        )
        return [Row(*row) for row in found]

    def waiting(self) -> int:
        """How many events are still to be sent."""
        ((count,),) = self.sql(f"SELECT count(*) FROM {OUTBOX} WHERE state = 'waiting'")  # noqa: S608
        return int(count)

    def settle(self) -> None:
        """Until no event waits. Raises NeverSettled."""
        self.wait_for(lambda: not self.waiting(), "no event waits")

    def wait_for(self, condition: Callable[[], bool], what: str, *, seconds: float = 45) -> None:
        """Until that is so. Raises NeverSettled."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise NeverSettled(f"not within {seconds} s: {what}; {self.waiting()} events wait:\n{self.told()}")
            time.sleep(0.1)

    def attempts(self) -> int:
        """How many POSTs have been marked."""
        ((count,),) = self.sql(f"SELECT count(*) FROM {ATTEMPT}")  # noqa: S608
        return int(count)

    def expire_leases(self) -> None:
        """What the time does to the lanes of the dead."""
        self.sql(f"UPDATE {LANE} SET leased_until = 0")  # noqa: S608

    def clean(self) -> None:
        """An empty shop, and a stand-in that has heard nothing."""
        names = ", ".join(name for (name,) in self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        self.sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        self.standin.start()
        self.standin.reset()
        self.log.write_bytes(b"")

    def told(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-6000:]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        return (
            os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
                "TEST_DATABASE_URL": self.database_url,
                "FAULT_API_URL": self.standin.api_url,
                "PYTHONPATH": str(ROOT),
            }
            | self.environment
            | more
        )


def kill(process: Process) -> None:
    """SIGKILL, for it and its children: nothing of it can clean up."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
