"""Keeps a broken query of the site's own code from spoiling the transaction it runs in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.db import connections, transaction


def protected(using: str) -> AbstractContextManager[None]:
    """A savepoint where a transaction is open; without one a failed query spoils nothing."""
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()
