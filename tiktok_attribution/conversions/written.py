"""What this request has written in its open transaction, so that nothing is read back.

Decision: an order is saved two or three times in one checkout: new, with its lines, paid. What is stored between these
saves is what this transaction wrote, so the earlier state and the visitor's snapshot are remembered and not selected.
A rollback, also of a savepoint, drops the connection's commit hooks and with them what is remembered. Another request
asks the database: in the same transaction that is only a test's.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tiktok_attribution.visitor.snapshot import Signals
from tiktok_attribution.visitor.visitor import Commitment, current_request

Key = tuple[str, Hashable]


class Written:
    """An object after its save. `not_yet` are the ids of the conversions for which it did not count by then.

    `signals` are those of its snapshot; None where this request stored none, so that an older one may be there.
    """

    def __init__(self, not_yet: Collection[int], signals: Signals | None, using: str) -> None:
        self.not_yet = frozenset(not_yet)
        self.signals = signals
        self._request = current_request.get()
        # The connection's list of hooks keeps it alive, until the transaction ends.
        self._commitment = Commitment(using, then=self._end)

    @property
    def is_known(self) -> bool:
        """False once it may have been undone, and in another request."""
        return self._request is not None and current_request.get() is self._request and self._commitment.is_open

    def _end(self) -> None:
        self._request = None


_by_connection: WeakKeyDictionary[BaseDatabaseWrapper, WeakValueDictionary[Key, Written]] = WeakKeyDictionary()


def remember(label: str, pk: Hashable, *, not_yet: Collection[int], signals: Signals | None, using: str) -> None:
    """Remember a save of this object, where a request is answered inside a transaction."""
    connection = connections[using]
    if not connection.in_atomic_block or current_request.get() is None:
        return
    here = _by_connection.setdefault(connection, WeakValueDictionary())
    if signals is None and (before := find(label, pk, using=using)) is not None:
        signals = before.signals
    here[label, pk] = Written(not_yet, signals, using)


def find(label: str, pk: Hashable, *, using: str) -> Written | None:
    """What this request wrote of the object last, in the transaction that is open."""
    here = _by_connection.get(connections[using])
    written = here.get((label, pk)) if here else None
    return written if written is not None and written.is_known else None


def forget(using: str) -> None:
    """Snapshots are changed by other means: ask the database again."""
    _by_connection.pop(connections[using], None)
