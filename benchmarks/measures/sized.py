"""Tables of 10^n rows, each in a database of its own, made when first asked for."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, connections

from benchmarks import rows
from benchmarks.settings import SIZED

_made: set[str] = set()


def sized(power: int) -> str:
    """The alias of a database with so many settled events."""
    alias = f"rows_{power}"
    if alias not in _made:
        main = settings.DATABASES["default"]["NAME"]
        rows.empty()
        connections.close_all()  # a database that is copied must have no visitors
        with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(f'CREATE DATABASE "{alias}" TEMPLATE "{main}"')
        rows.add_settled(SIZED[alias], using=alias)
        rows.execute(f"VACUUM (ANALYZE) {rows.TABLE}", using=alias)
        _made.add(alias)
    return alias
