"""PostgreSQL with default durability, Valkey and the sink, and where they are for this process and its children."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from benchmarks.sink import Sink, running_sink
from tests.engines import postgres as engine
from tests.engines.postgres import postgres
from tests.engines.valkey import valkey

# The tests' server is the one starter; what makes it forgetful is left out, so fsync, synchronous_commit and
# autovacuum stand at PostgreSQL's defaults.
DURABLE = {"max_connections": "50"}


@contextmanager
def running_servers() -> Iterator[Sink]:
    """Starts all three, sets Django up over them with empty tables, and ends them."""
    with patch.object(engine, "FAST", DURABLE), postgres() as database, valkey() as broker, running_sink() as sink:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="benchmarks.settings",
            BENCHMARKS_DATABASE_URL=database.url(),
            BENCHMARKS_BROKER_URL=broker,
            BENCHMARKS_SINK_URL=sink.url,
        )
        _set_up()
        try:
            yield sink
        finally:
            _close_connections()


def _set_up() -> None:
    import django  # noqa: PLC0415 -- all of this needs the settings, and those need the servers
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)

    from benchmarks import celery_app, rows  # noqa: F401, PLC0415

    rows.keep_template()


def _close_connections() -> None:
    from django.db import connections  # noqa: PLC0415

    connections.close_all()
