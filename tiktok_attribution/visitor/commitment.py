"""Whether what was written in a transaction still stands. Django tells of a commit, and never of a rollback."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections
from django.db.transaction import TransactionManagementError


class Commitment:
    """Made right after a write, in its transaction; `then` runs at the commit, at once where no transaction is open.

    In a test whose transaction never commits it stays open: what hangs on it is shown, but `then` never runs, unless
    the test uses Django's captureOnCommitCallbacks(execute=True).
    """

    def __init__(self, using: str, then: Callable[[], None] | None = None) -> None:
        self.committed = False
        self._taken_back = False
        self._connection = connections[using]
        self._then = then
        self._hook = self._commit  # one object, so that it can be told from others in the connection's list
        try:
            self._connection.on_commit(self._hook, robust=True)
        except TransactionManagementError:
            # Autocommit switched off by hand: nobody tells when that is committed, so it counts as it is written.
            self.committed = True

    def _commit(self) -> None:
        self.committed = True
        if self._then is not None:
            self._then()

    @property
    def is_open(self) -> bool:
        """True while the transaction may still go either way: a rollback, also of a savepoint, drops its hooks."""
        return any(entry[1] is self._hook for entry in self._connection.run_on_commit)

    def take_back(self) -> None:
        """The write itself was undone, in the same transaction."""
        self._taken_back = True

    @property
    def is_undone(self) -> bool:
        """True once the write was rolled back, or taken back."""
        return self._taken_back or (not self.committed and not self.is_open)
