"""P11: how often a batch goes to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from benchmarks import rows
from benchmarks.measured import Measured
from benchmarks.setup import Setup
from tiktok_attribution.delivery import pixel_sender

BATCHES = 10


class Trips(NamedTuple):
    """Statements without BEGIN and COMMIT, and transactions that wrote."""

    statements: int
    commits: int


def one_batch(setup: Setup) -> Measured:
    """What each further batch adds; finding the work, taking the lane and giving it back come once a call."""
    setup.sink.reset()
    one, several = _delivery(1), _delivery(1 + BATCHES)
    statements = (several.statements - one.statements) / BATCHES
    commits = (several.commits - one.commits) / BATCHES
    note = f"{commits:g} commits a batch (must ≤ 2); a call that sends one batch: {one.statements} statements, "
    note += f"{one.commits} commits. The yardstick is the raw lane lease."
    return Measured(
        ours=statements,
        yardstick=4,
        ratios=[statements / 4],
        must_also=commits <= 2,
        note=note,
    )


def _delivery(batches: int) -> Trips:
    rows.empty()
    rows.add_due(1000 * batches, lanes=1)
    with _every_statement() as statements:
        pixel_sender.deliver(rows.PIXEL, using="default")
    told = [sql for sql in statements() if sql not in ("BEGIN", "COMMIT")]
    return Trips(len(told), _commits(statements()))


def _commits(statements: list[str]) -> int:
    """Explicit ones after a write, and each write in autocommit."""
    commits, inside, written = 0, False, False
    for sql in statements:
        writes = sql.lstrip("( ").startswith(("INSERT", "UPDATE", "DELETE", "WITH"))
        if sql == "BEGIN":
            inside, written = True, False
        elif sql == "COMMIT":
            commits += written
            inside = False
        elif writes and inside:
            written = True
        elif writes:
            commits += 1
    return commits


@contextmanager
def _every_statement() -> Iterator[Any]:
    """Statements of this block on every connection to the default database, also of threads it starts."""
    watched: list[BaseDatabaseWrapper] = []

    def watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if connection.alias == "default":
            connection.force_debug_cursor = True
            connection.queries_log.clear()
            watched.append(connection)

    connections["default"].ensure_connection()
    watch(connections["default"])
    connection_created.connect(watch)
    try:
        yield lambda: [str(query["sql"]) for connection in watched for query in connection.queries_log]
    finally:
        connection_created.disconnect(watch)
        for connection in watched:
            connection.force_debug_cursor = False
