"""A server process: started with its log in a file, watched until it answers, ended by its id."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM, Signals

from .account import server_account
from .server import ServerFailed

START_SECONDS = 30
STOP_SECONDS = 15


def run_once(program: str | Path, *arguments: str, cwd: Path) -> None:
    """A preparing program (initdb and its like), under the server's account; its output is in the error."""
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **server_account(),
    )
    if done.returncode:
        raise ServerFailed(f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


@contextmanager
def running(
    *command: str | Path, log: Path, answers: Callable[[], bool], stop_with: Signals = SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """The process of `command` while the block runs, from its first answer on."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **server_account(),
        )
    try:
        wait_until(answers, process, log)
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(answers: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the server answers; raises ServerFailed when it ended or stays silent."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"ended with {process.returncode}:\n{log.read_text(errors='replace')}")
        if answers():
            return
        time.sleep(0.05)
    raise ServerFailed(f"no answer in {START_SECONDS} s:\n{log.read_text(errors='replace')}")
