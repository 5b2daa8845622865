"""`python -m tests.engines.run postgres …`: the whole suite over this engine; what follows is pytest's."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.engines.mariadb import mariadb
from tests.engines.postgres import postgres

ENGINES = {"postgres": postgres, "mariadb": mariadb}


def main(engine: str, *arguments: str) -> int:
    """pytest's exit code; the server ends with it."""
    with ENGINES[engine]() as server:
        environment = os.environ | {"TEST_DATABASE_URL": server.url()}
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
