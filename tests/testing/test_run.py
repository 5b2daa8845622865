"""The stand-in as a program of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.testing.samples import PIXEL, ask, body
from tiktok_attribution.testing.server import run

ROOT = Path(__file__).parents[2]


@contextmanager
def program(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running stand-in and its address."""
    command = [sys.executable, "-m", "tiktok_attribution.testing", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, child.stdout.readline().split()[-1].rstrip("/")
        finally:
            child.kill()


def post(url: str, token: str) -> int:
    code = ask(f"{url}/open_api/v1.3/event/track/", body(), headers={"Access-Token": token}).json["code"]
    assert isinstance(code, int)
    return code


def test_sigterm_ends_it_cleanly() -> None:
    with program() as (child, url):
        assert ask(f"{url}/standin/health").status == 200
        child.send_signal(signal.SIGTERM)
        _, errors = child.communicate(timeout=10)
    assert (child.returncode, errors) == (0, "")


@pytest.mark.faults
def test_killed_and_started_again_it_knows_what_arrived(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.jsonl")
    with program("--journal", journal) as (child, url):
        post(url, "any")
        child.kill()
        child.wait(timeout=10)
    with program("--journal", journal) as (child, url):
        post(url, "any")
        counts = ask(f"{url}/standin/state.json").json["counts"]
    assert counts == {"Purchase": {"browser": 0, "server": 2, "counted": 1}}


def test_it_asks_for_the_tokens_it_was_given() -> None:
    with program("--token", f"{PIXEL}=right") as (_, url):
        assert (post(url, "wrong"), post(url, "right")) == (40105, 0)


def test_a_taken_port_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["--port", str(port)]) == 1
    assert str(port) in capsys.readouterr().err


@pytest.mark.parametrize("token", ["C0", "=x", "C0="])
def test_a_token_without_its_pixel_is_refused(token: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["--token", token])
    assert "PIXEL=TOKEN" in capsys.readouterr().err
