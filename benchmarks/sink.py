"""A loopback stand-in that does next to nothing: it counts events and says OK, after a delay that can be set.

`python -m benchmarks.sink` prints its port. POST: any path, HTTP/1.1 with Content-Length, kept connections; events are
counted by a scan for their `"event_id"`. GET /reset?<delay in seconds> forgets the counts; GET /stats tells them. Times
are of the system-wide monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, cast

ANSWER = b'{"code":0,"message":"OK","request_id":"20250622175546910001","data":{}}'


@dataclass
class Stats:
    """Since the last reset: requests, events in them, when the first byte came and when the last answer left."""

    posts: int = 0
    events: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


@dataclass
class Shared:
    """What all connections of the sink share."""

    delay: float = 0.0
    stats: Stats = field(default_factory=Stats)


class Connection(asyncio.Protocol):
    """One connection; requests on it may be pipelined."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.received = bytearray()
        self.body_at = 0  # 0 while the head of a request is being read
        self.size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        """Answer the first request if it is there whole."""
        if not self.body_at:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.body_at, self.size = end + 4, _length(bytes(self.received[:end]))
            if not self.shared.stats.first_at:
                self.shared.stats.first_at = time.monotonic()
        whole = self.body_at + self.size
        if len(self.received) < whole:
            return False
        line = bytes(self.received[: self.received.index(b"\r\n")])
        if line.startswith(b"POST"):
            self.shared.stats.events += self.received.count(b'"event_id"', self.body_at, whole)
            self.shared.stats.posts += 1
            asyncio.get_running_loop().call_later(self.shared.delay, self._answer)
        else:
            self._control(line.split(b" ")[1].decode())
        del self.received[:whole]
        self.body_at = 0
        return bool(self.received)

    def _answer(self) -> None:
        self._write(ANSWER)
        self.shared.stats.last_at = time.monotonic()

    def _control(self, address: str) -> None:
        if address.startswith("/reset?"):
            self.shared.delay, self.shared.stats = float(address.partition("?")[2]), Stats()
        self._write(json.dumps(asdict(self.shared.stats)).encode())

    def _write(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve() -> None:
    shared = Shared()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(shared), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)  # it never outlives who started it
    await ended.wait()


@dataclass(frozen=True)
class Sink:
    """A running sink, from outside."""

    port: int

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.host}/open_api/v1.3/event/track/"

    def reset(self, delay: float = 0.0) -> None:
        """Forget the counts; answer from now on after `delay` seconds."""
        self._get(f"/reset?{delay}")

    def stats(self) -> Stats:
        return Stats(**json.loads(self._get("/stats")))

    def expect(self, events: int) -> Stats:
        """The counts. Raises AssertionError unless exactly so many events arrived: a rate of lost events is none."""
        stats = self.stats()
        if stats.events != events:
            raise AssertionError(f"{events} events were to be delivered, {stats.events} arrived at the sink")
        return stats

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.host + path, timeout=10) as answer:  # noqa: S310 -- always loopback
            return cast(bytes, answer.read())


@contextmanager
def running_sink() -> Iterator[Sink]:
    command = [sys.executable, "-m", "benchmarks.sink"]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        try:
            yield Sink(int(cast("IO[bytes]", process.stdout).readline()))
        finally:
            process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    asyncio.run(_serve())
