"""Rows by a list of keys, as one parameter where the database takes an array: a thousand placeholders cost as much to
write and to parse as marking the rows does.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connections
from django.db.models import BooleanField, F, Func, QuerySet, Value

from tiktok_attribution.models import OutboxEvent


class _EqualsAny(Func):
    """`pk = ANY(array)` of PostgreSQL."""

    template = "%(expressions)s::bigint[])"
    arg_joiner = " = ANY("
    conditional = True

    def __init__(self, pks: Sequence[int]) -> None:
        super().__init__(F("pk"), Value(list(pks)), output_field=BooleanField())


def by_key(pks: Sequence[int], *, using: str) -> QuerySet[OutboxEvent]:
    """The events of these keys."""
    rows = OutboxEvent.objects.using(using)
    if connections[using].vendor == "postgresql":
        return rows.filter(_EqualsAny(pks))
    return rows.filter(pk__in=pks)
