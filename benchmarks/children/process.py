"""Such a program from both sides: it says it is ready, runs as often as it is told to, prints JSON each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

ROOT = Path(__file__).parents[2]
READY = "ready"


class Child:
    """One process, ready to run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if self._line() != READY:
            raise RuntimeError(f"a child process was not ready: {process.args!r}")

    def go(self) -> None:
        """Let it run once; `result` waits for it."""
        orders = cast("IO[str]", self._process.stdin)
        orders.write("go\n")
        orders.flush()

    def result(self) -> Any:
        """What it printed. Raises RuntimeError when it ended instead; the goal's own limit bounds the wait."""
        return json.loads(self._line())

    def _line(self) -> str:
        line = cast("IO[str]", self._process.stdout).readline().strip()
        if not line:
            raise RuntimeError(f"a child process ended early: {self._process.args!r}")
        return line


@contextmanager
def children(
    number: int, name: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[list[Child]]:
    """So many processes of one program, ready; none of them outlives the block."""
    command = [sys.executable, "-m", f"benchmarks.children.{name}", *arguments]
    with ExitStack() as stack:
        processes = []
        for _ in range(number):
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            processes.append(process)
        yield [Child(process) for process in processes]


def when_told(result: Callable[[], Any]) -> None:
    """The child's own loop; it ends with its parent, because then its input does."""
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    while sys.stdin.readline():
        sys.stdout.write(json.dumps(result()) + "\n")
        sys.stdout.flush()
