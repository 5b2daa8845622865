"""The database of this run, from the environment: what tests/settings.py asks for.

TEST_DATABASE_URL   a server that runs already (set for child processes, or by hand)
TEST_DATABASE       sqlite (default), postgres or mariadb: started here, stopped when this process ends
"""

from __future__ import annotations

import atexit
import os
import secrets
import tempfile
from contextlib import ExitStack
from typing import Any

from .mariadb import mariadb
from .postgres import postgres
from .server import BACKENDS, database_of_url


def chosen_database() -> dict[str, Any]:
    """DATABASES["default"]; a server that had to be started is announced to child processes by its URL."""
    if not os.environ.get("TEST_DATABASE_URL"):
        os.environ["TEST_DATABASE_URL"] = _start(os.environ.get("TEST_DATABASE") or "sqlite")
    entry = database_of_url(os.environ["TEST_DATABASE_URL"])
    if entry["ENGINE"] == BACKENDS["sqlite"]:
        # A file and not memory, so that other threads and processes of a test have their own connections.
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
        entry["OPTIONS"] = {"timeout": 20, "init_command": pragmas}
        entry["TEST"] = {"NAME": f"{entry['NAME']}-test"}
    return entry


def _start(engine: str) -> str:
    if engine == "sqlite":
        # Only a name: who imports the settings and never tests (mypy's plugin does) leaves no file.
        return f"sqlite://{tempfile.gettempdir()}/tiktok-attribution-{secrets.token_hex(8)}.sqlite3"
    servers = {"postgres": postgres, "mariadb": mariadb}
    if engine not in servers:
        raise ValueError(f"TEST_DATABASE={engine}: it is one of {', '.join(BACKENDS)}")
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    return until_exit.enter_context(servers[engine]()).url()
