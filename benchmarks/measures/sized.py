"""Tables of 10^n rows, each in a database of its own, made when first asked for."""

from __future__ import annotations

from django.conf import settings
from django.db import connections

from benchmarks import rows
from benchmarks.settings import SIZED
from benchmarks.yardsticks import raw_outbox

_made: set[str] = set()


def sized(power: int) -> str:
    """The alias of a database with so many settled events."""
    alias = f"rows_{power}"
    if alias not in _made:
        main = settings.DATABASES["default"]["NAME"]
        rows.empty()
        connections.close_all()  # a database that is copied must have no visitors
        with raw_outbox.connect("template1") as database:
            database.autocommit = True
            database.execute(f'CREATE DATABASE "{alias}" TEMPLATE "{main}"')
        rows.add_settled(SIZED[alias], using=alias)
        rows.execute(f"VACUUM (ANALYZE) {rows.TABLE}", using=alias)
        rows.execute(f"VACUUM (ANALYZE) {rows.BODIES}", using=alias)
        _made.add(alias)
    return alias
