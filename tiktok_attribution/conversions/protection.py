"""Keeps a broken query of the site's own code from spoiling the transaction it runs in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.db import connections, transaction


def protected(using: str, *, may_query: bool = True) -> AbstractContextManager[None]:
    """A savepoint where a transaction is open; without one, or without a query, nothing can be spoilt."""
    needed = may_query and connections[using].in_atomic_block
    return transaction.atomic(using=using) if needed else nullcontext()
