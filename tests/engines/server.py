"""What a running test server tells, and how it becomes an entry of DATABASES in this and other processes."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

BACKENDS = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "mariadb": "django.db.backends.mysql",
}


class MissingEngine(Exception):
    """This machine has no binaries for the engine; the message names what to install."""


class ServerFailed(Exception):
    """The engine is there but did not start; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseServer:
    """`engine` is a key of BACKENDS; `database` is there from the start, Django makes its test_ twin."""

    engine: str
    port: int
    user: str
    password: str
    database: str
    host: str = "127.0.0.1"

    def url(self, database: str = "") -> str:
        """For TEST_DATABASE_URL: how another process finds this server, or one database of it."""
        account = f"{self.user}:{self.password}"
        return f"{self.engine}://{account}@{self.host}:{self.port}/{database or self.database}"


def database_of_url(url: str) -> dict[str, Any]:
    """One DATABASES entry from `postgres://user:password@host:port/name`, `mariadb://...` or `sqlite:///path`."""
    parts = urlsplit(url)
    entry: dict[str, Any] = {"ENGINE": BACKENDS[parts.scheme]}
    if parts.scheme == "sqlite":
        return entry | {"NAME": unquote(parts.path)}
    return entry | {
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": unquote(parts.password or ""),
    }


def free_port() -> int:
    """A port that nobody listens on just now; whoever binds it next must live with having lost a race."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
