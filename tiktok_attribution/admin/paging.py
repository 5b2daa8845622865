"""Pages of a table of any size."""

from __future__ import annotations

from functools import cached_property

from django.core.paginator import Paginator
from django.db.models import QuerySet

MOST = 10_000
"""Rows that a list pages through and an action takes at once."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to `MOST` and no further: a COUNT over a million rows costs more than the page itself."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows[:MOST].count() if isinstance(rows, QuerySet) else len(rows)

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than are counted."""
        return self.count >= MOST
