"""The database's clock: the one that all workers share.

Whether an event is due, until when a lane is leased and when a pixel may send again are moments that several processes
compare. Each machine has a clock of its own, and one that is an hour ahead would stop everybody for an hour. So these
moments come from the database; a process asks it once and counts on by its own monotonic clock, which never jumps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.models import FloatField, Func

Clock = Callable[[], float]
"""Gives epoch seconds."""

ASK_AGAIN_SECONDS = 30.0
"""How long a process counts on by itself: the database's host may set its clock meanwhile."""

SLACK_SECONDS = 5.0
"""What two looks at the database's clock may differ by before a moment in the future counts as a wrong clock's."""

# UNIX_TIMESTAMP() and not UNIX_TIMESTAMP(NOW(6)): a local time is ambiguous in the hour that summer time ends.
_NOW = {
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())::double precision",
    "mysql": "(UNIX_TIMESTAMP() + MICROSECOND(NOW(6)) / 1000000)",
}


class DatabaseNow(Func):
    """Epoch seconds by the database's clock, as part of a statement; SQLite runs on this machine and by its clock."""

    output_field = FloatField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        """Return this engine's expression, and its parameters."""
        text = sql(connection.vendor)
        return (text, []) if text else ("%s", [time.time()])


def sql(vendor: str) -> str:
    """The expression as text; "" where the engine has no clock of its own."""
    return _NOW.get(vendor, "")


def database_time(using: str) -> float:
    """Epoch seconds now, by one statement."""
    text = sql(connections[using].vendor)
    if not text:
        return time.time()
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {text}")
        return float(cursor.fetchone()[0])


def clock_of(using: str) -> Clock:
    """A clock that follows the database's, at a statement each ASK_AGAIN_SECONDS. For one thread's connection or for
    several: each asks over its own.
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
