"""MariaDB from the system's packages: its server binaries, never a service that runs already."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from .account import server_directory
from .process import run_once, running
from .server import DatabaseServer, MissingEngine, free_port

# Nothing of a test has to outlive a power cut.
FAST = [
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--skip-log-bin",
    "--skip-name-resolve",
]
NEEDED = "MariaDB: apt-get install mariadb-server-core mariadb-client-core (or mariadb-server)"


@contextmanager
def mariadb() -> Iterator[DatabaseServer]:
    """A MariaDB on a free loopback port, with a user `tests` who may do everything and has a password."""
    daemon, installer = _program("mariadbd"), _program("mariadb-install-db")
    with server_directory("mariadb") as directory:
        data = directory / "data"
        run_once(
            installer,
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            *FAST,
            cwd=directory,
        )
        server = DatabaseServer(
            engine="mariadb",
            port=free_port(),
            user="tests",
            password=secrets.token_hex(16),
            database="tiktok_attribution",
        )
        first = directory / "first.sql"
        first.write_text(
            f"CREATE DATABASE {server.database};\n"
            f"CREATE USER {server.user}@'{server.host}' IDENTIFIED BY '{server.password}';\n"
            f"GRANT ALL ON *.* TO {server.user}@'{server.host}';\n"
        )
        first.chmod(0o644)  # the directory itself is closed to everybody else
        with running(
            daemon,
            "--no-defaults",
            f"--datadir={data}",
            f"--init-file={first}",
            f"--bind-address={server.host}",
            f"--port={server.port}",
            f"--pid-file={directory / 'pid'}",
            f"--socket={directory / 'socket'}",
            "--character-set-server=utf8mb4",
            *FAST,
            log=directory / "log",
            answers=lambda: _answers(server),
        ):
            yield server


def _program(name: str) -> str:
    # Debian keeps the server in /usr/sbin, which is not on everybody's PATH.
    places = (os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise MissingEngine(NEEDED)
    return found


def _answers(server: DatabaseServer) -> bool:
    import pymysql  # noqa: PLC0415 -- a run over another engine does not need the driver

    try:
        pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, connect_timeout=2
        ).close()
    except pymysql.OperationalError:
        return False
    return True
