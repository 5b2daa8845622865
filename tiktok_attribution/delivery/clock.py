"""Read the database's clock, which all workers share.

Several processes compare the same moments: when an event is due, when a lease ends, when a pixel may send again. Each
machine has a clock of its own, and one that is an hour ahead would stop everybody for an hour. So these moments come
from the database. A process asks it once and then counts on with its own monotonic clock, which never jumps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.models import FloatField, Func

Clock = Callable[[], float]
"""A function that returns epoch seconds."""

ASK_AGAIN_SECONDS = 30.0
"""How long a process counts on by itself. The database's host may set its clock in the meantime."""

SLACK_SECONDS = 5.0
"""How far a stored moment may lie beyond its limit before it counts as written by a wrong clock. Two readings of the
database's clock may differ by this much."""

# UNIX_TIMESTAMP() and not UNIX_TIMESTAMP(NOW(6)): a local time is ambiguous in the hour in which summer time ends.
_NOW = {
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())::double precision",
    "mysql": "(UNIX_TIMESTAMP() + MICROSECOND(NOW(6)) / 1000000)",
}


# Decision: due times, leases, turns and pauses go by the database's clock, because several machines compare them. A
# moment that lies further ahead than a setting allows was written by a wrong clock and is repaired (`repair`).
class DatabaseNow(Func):
    """The database's time in epoch seconds, as part of a statement. SQLite uses the clock of this machine."""

    output_field = FloatField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the expression for this engine and its parameters."""
        text = sql(connection.vendor)
        return (text, []) if text else ("%s", [time.time()])


def sql(vendor: str) -> str:
    """Return the SQL expression for the current time; "" if the engine has no clock of its own."""
    return _NOW.get(vendor, "")


def database_time(using: str) -> float:
    """Return the database's time in epoch seconds, by one statement."""
    text = sql(connections[using].vendor)
    if not text:
        return time.time()
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {text}")
        return float(cursor.fetchone()[0])


def clock_of(using: str) -> Clock:
    """Return a clock that follows the database's clock, with one statement every ASK_AGAIN_SECONDS.

    Several threads may share it: each asks over its own connection.
    """
    if not sql(connections[using].vendor):
        return time.time
    asked_at, base = time.monotonic(), database_time(using)

    def now() -> float:
        nonlocal asked_at, base
        passed = time.monotonic() - asked_at
        if passed > ASK_AGAIN_SECONDS:
            base, asked_at, passed = database_time(using), time.monotonic(), 0.0
        return base + passed

    return now
