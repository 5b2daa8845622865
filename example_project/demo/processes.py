"""The processes of the demonstration. One that dies is started again: that is half of what is to be seen."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

PROJECT = Path(__file__).resolve().parent.parent
RESTART_SECONDS = 1.0
_open = build_opener(ProxyHandler({})).open  # loopback needs no proxy


@dataclass
class Supervised:
    """One process, and how to start it again."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    died_at: float | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=PROJECT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that what it starts itself (Celery's beat) can be ended with it
            )
        self.starts += 1
        self.died_at = None

    def look(self) -> str | None:
        """Start it again a second after it died. Returns what there is to tell."""
        if self.process is None or self.process.poll() is None:
            return None
        if self.died_at is None:
            self.died_at = time.monotonic()
            self._end_children(signal.SIGTERM)
            return f"{self.name} died ({self.process.returncode}); it is started again."
        if time.monotonic() - self.died_at > RESTART_SECONDS:
            self.start()
        return None

    def end(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self._end_children(signal.SIGKILL)
            self.process.wait()

    def _end_children(self, number: signal.Signals) -> None:
        """Signal whatever is left of its process group."""
        if self.process is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


@dataclass
class Stage:
    """Everything that runs, and where."""

    var: Path
    site_port: int
    standin_port: int
    processes: list[Supervised] = field(default_factory=list)

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.site_port}"

    @property
    def standin(self) -> str:
        return f"http://127.0.0.1:{self.standin_port}"

    @property
    def environment(self) -> dict[str, str]:
        own = {"SHOP_VAR": str(self.var), "TIKTOK_STANDIN": self.standin, "SHOP_SITE": self.site}
        return {**os.environ, "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "example.settings", **own}

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end. Returns what it wrote; raises SystemExit with that when it fails."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start stand-in, worker and site, and wait until both addresses answer."""
        python = sys.executable
        journal = str(self.var / "standin.jsonl")
        beat = ("-B", "--schedule", str(self.var / "beat"))
        commands = {
            "stand-in": (
                *(python, "manage.py", "tiktok_standin", "--quiet"),
                *("--port", str(self.standin_port), "--journal", journal),
            ),
            "worker": (*(python, "-m", "celery", "-A", "example", "worker", "-P", "solo", "-l", "info"), *beat),
            "site": (python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.site_port}"),
        }
        for name, command in commands.items():
            process = Supervised(name, command, self.environment, self.var / f"{name}.log")
            process.start()
            self.processes.append(process)
        self._wait_for(f"{self.standin}/standin/health")
        self._wait_for(f"{self.site}/")

    def _wait_for(self, address: str, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with _open(address, timeout=5):
                    return
            except (URLError, OSError):
                self.look()
                time.sleep(0.1)
        raise SystemExit(f"{address} did not answer within {seconds:g} s; the logs are in {self.var}")

    def wait_until(self, condition: Callable[[], bool], seconds: float = 60.0) -> bool:
        """Wait, and start again what dies meanwhile. False when the time ran out."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self.look()
            time.sleep(0.2)
        return True

    def look(self) -> list[str]:
        """Start again what died, and say so."""
        return [said for process in self.processes if (said := process.look())]

    def end(self) -> None:
        for process in reversed(self.processes):
            process.end()


def free_port(wanted: int) -> int:
    """The wanted port of 127.0.0.1 if nobody has it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("127.0.0.1 has no free port")
