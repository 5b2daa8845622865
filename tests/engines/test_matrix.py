"""The tests that touch data, once more over each engine: one pytest process an engine, beside all other tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from tests.engines.server import DatabaseServer

TESTS = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--data-only"]
# What needs a browser, a service or a fault is slow, and its subject is not the engine.
SELECTED = ["-m", "not browser and not services and not faults", str(TESTS)]
LIMIT_SECONDS = 1800
ENGINES = ["postgres", "mariadb"]

pytestmark = [pytest.mark.services, pytest.mark.on_engine("sqlite")]

Run = tuple["subprocess.Popen[bytes]", IO[bytes]]


@pytest.fixture(scope="session")
def runs() -> Iterator[dict[str, Run]]:
    """The run of each engine that has been started."""
    started: dict[str, Run] = {}
    yield started
    for process, output in started.values():
        process.kill()
        process.wait()
        output.close()


@pytest.fixture
def run(engine: str, runs: dict[str, Run], request: pytest.FixtureRequest) -> Run:
    """The run of this engine; whoever asks first starts it."""
    server: DatabaseServer = request.getfixturevalue(f"{engine}_server")
    if engine not in runs:
        output = tempfile.TemporaryFile()  # noqa: SIM115 -- closed in `runs`
        process = subprocess.Popen(
            [*COMMAND, *SELECTED],
            cwd=TESTS.parent,
            env=os.environ | {"TEST_DATABASE_URL": server.url()},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        runs[engine] = process, output
    return runs[engine]


@pytest.mark.begins
@pytest.mark.parametrize("engine", ENGINES)
def test_the_tests_that_touch_data_begin_on(engine: str, run: Run) -> None:
    process, _ = run

    assert process.poll() is None


@pytest.mark.ends
@pytest.mark.parametrize("engine", ENGINES)
def test_the_tests_that_touch_data_pass_on(engine: str, run: Run) -> None:
    process, output = run
    with suppress(subprocess.TimeoutExpired):
        process.wait(LIMIT_SECONDS)
    output.seek(0)
    told = output.read().decode(errors="replace")

    assert process.returncode == 0, f"over {engine}, limit {LIMIT_SECONDS} s:\n{told}"
    assert f"engine: {engine}" in told
