"""Remember what a request has written in its open transaction, so that it is not read back.

Decision: a checkout saves an order two or three times: new, with its lines, paid. Between these saves the database
holds what this transaction wrote. So the earlier state and the visitor's snapshot are remembered, and not selected. A
rollback, also to a savepoint, drops the connection's commit hooks, and with them what is remembered. Another request
asks the database; only tests have several requests in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tiktok_attribution.visitor.snapshot import Signals
from tiktok_attribution.visitor.visitor import Commitment, current_request

Key = tuple[str, Hashable]
KEPT = "_tiktok_kept"
"""Attribute of a request: the signals that it stored outside of a transaction, by database, label and key."""


class Written:
    """An object after its last save. `not_yet`: the ids of the conversions for which it does not count yet.

    `signals`: those of its snapshot. None if this request stored none: then an older snapshot may exist.
    """

    def __init__(self, not_yet: Collection[int], signals: Signals | None, using: str) -> None:
        self.not_yet = frozenset(not_yet)
        self.signals = signals
        self._request = current_request.get()
        # The connection's list of hooks keeps it alive, until the transaction ends.
        self._commitment = Commitment(using, then=self._end)

    @property
    def is_known(self) -> bool:
        """Return False if it may have been undone, and in another request."""
        return self._request is not None and current_request.get() is self._request and self._commitment.is_open

    def _end(self) -> None:
        self._request = None


_by_connection: WeakKeyDictionary[BaseDatabaseWrapper, WeakValueDictionary[Key, Written]] = WeakKeyDictionary()


def remember_written(
    label: str, pk: Hashable, *, not_yet: Collection[int], signals: Signals | None, using: str
) -> None:
    """Remember a save of this object, if a request is answered inside a transaction.

    It replaces what an earlier save said, so a conversion that counts by now is asked for again.
    """
    connection, request = connections[using], current_request.get()
    if request is None:
        return
    if not connection.in_atomic_block:
        if signals is not None:  # stored for good; the earlier state is not remembered, for others may change it
            request.__dict__.setdefault(KEPT, {})[using, label, pk] = signals
        return
    if not not_yet:
        if (here := _by_connection.get(connection)) is not None:
            here.pop((label, pk), None)
        return
    before = find_written(label, pk, using=using)
    kept = before.signals if signals is None and before is not None else signals
    here = _by_connection.setdefault(connection, WeakValueDictionary())
    here[label, pk] = Written(not_yet, kept, using)


def find_written(label: str, pk: Hashable, *, using: str) -> Written | None:
    """Return what this request wrote of the object last, in the open transaction; None if that may have changed."""
    here = _by_connection.get(connections[using])
    written = here.get((label, pk)) if here else None
    return written if written is not None and written.is_known else None


def find_signals(label: str, pk: Hashable, *, using: str) -> Signals | None:
    """Return the signals of the snapshot that this request has stored with the object; None if it stored none."""
    written, request = find_written(label, pk, using=using), current_request.get()
    if written is not None and written.signals is not None:
        return written.signals
    kept: Signals | None = None if request is None else request.__dict__.get(KEPT, {}).get((using, label, pk))
    return kept


def forget_written(using: str) -> None:
    """Forget everything, because a snapshot is changed by other means. The database is asked again."""
    _by_connection.pop(connections[using], None)
    if (request := current_request.get()) is not None:
        request.__dict__.pop(KEPT, None)
