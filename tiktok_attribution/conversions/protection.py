"""Keeps a broken query of the site's own code from spoiling the transaction it runs in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


def protected(using: str) -> AbstractContextManager[object]:
    """A savepoint where a transaction is open; none is made before the first statement, so that code which asks the
    database nothing costs it nothing."""
    connection = connections[using]
    return _LateSavepoint(connection) if connection.in_atomic_block else nullcontext()


class _LateSavepoint:
    """An atomic block without a savepoint, which the first statement inside gives one."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._was_broken = connection.needs_rollback
        self._is_awaited = True
        self._block = transaction.atomic(using=connection.alias, savepoint=False)
        self._wrapper = connection.execute_wrapper(self._before)

    def __enter__(self) -> None:
        self._block.__enter__()
        self._place = len(self._connection.savepoint_ids) - 1
        self._wrapper.__enter__()

    def _before(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self._is_awaited and not self._connection.needs_rollback:
            self._is_awaited = False  # for making the savepoint is a statement too
            savepoint = self._connection.savepoint()
            if savepoint is not None:
                self._connection.savepoint_ids[self._place] = savepoint
        return execute(sql, params, many, context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wrapper.__exit__(None, None, None)
        if self._is_awaited:
            self._block.__exit__(None, None, None)
            self._connection.needs_rollback = self._was_broken  # nothing was done that could be undone
        else:
            self._block.__exit__(kind, error, traceback)
