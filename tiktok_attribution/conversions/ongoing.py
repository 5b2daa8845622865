"""Conversions recorded in a transaction that is still open, by connection.

A second save finds the first one's; and what else is written in that transaction is noticed, for an event may be made
of it: lines after their order, a total by `QuerySet.update()`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.protection import is_lost, protected
from tiktok_attribution.conversions.recorded import Recorded
from tiktok_attribution.visitor.reason import report

# Kept alive by the connection's own list of commit hooks, and gone with them. Not kept on the objects: those are
# copied, pickled and loaded twice.
Open = WeakValueDictionary[tuple[Conversion, Hashable], Recorded]
_by_connection: WeakKeyDictionary[BaseDatabaseWrapper, Open] = WeakKeyDictionary()

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]
HEAD = 200  # characters of a statement: what it does, and to which table
READS = ("SELECT", "SAVEPO", "RELEAS", "BEGIN", "EXPLAI", "SET", "SHOW", "FETCH", "DECLAR")


def note(conversion: Conversion, pk: Hashable, recorded: Recorded, *, using: str) -> None:
    """Remember it until the transaction ends."""
    connection = connections[using]
    _by_connection.setdefault(connection, WeakValueDictionary())[conversion, pk] = recorded
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, Watch):
            wrapper.add(recorded)
            return
    Watch(connection).add(recorded)


def find(conversion: Conversion, pk: Hashable, *, using: str) -> Recorded | None:
    """What this object's conversion was recorded as in the open transaction; not if it was undone since."""
    here = _by_connection.get(connections[using])
    recorded = here.get((conversion, pk)) if here else None
    return recorded if recorded is not None and recorded.commitment.is_open else None


class Watch:
    """Looks at the statements that follow an event in its transaction, and at no other's.

    By the statements and not by signals, for those of `bulk_create()`, `QuerySet.update()` and raw SQL count too, and
    a receiver of every `post_delete` would cost the site its fast deletes. It takes itself off the connection with the
    first statement that comes after the transaction.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._recorded: WeakSet[Recorded] = WeakSet()
        self._is_busy = False
        # First, so that it is the outermost: who adds another one for a while takes the last one off.
        connection.execute_wrappers.insert(0, self)

    def add(self, recorded: Recorded) -> None:
        """Watch for this one too."""
        self._recorded.add(recorded)

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not self._is_busy:
            self._is_busy, was_lost = True, self._connection.needs_rollback
            try:
                self._look(sql if isinstance(sql, str) else str(sql))
            except Exception as error:
                if is_lost(self._connection, was_lost=was_lost):
                    raise  # the site must hear of it, see `is_lost`
                report(error, "can't tell whether an event changed before its commit")
            finally:
                self._is_busy = False
        return execute(sql, params, many, context)

    def _look(self, sql: str) -> None:
        """Before the statement: after it, rows that it returns may still be on their way."""
        head = sql[:HEAD].lstrip()
        word = head[:6].upper()
        if not self._connection.in_atomic_block or not self._recorded:
            self._leave()
        elif word == "ROLLBA":
            for recorded in self._recorded:
                recorded.rolled_back()
        elif not word.startswith(READS):
            self._notice(head)

    def _notice(self, statement: str) -> None:
        still = [recorded for recorded in self._recorded if recorded.commitment.is_open]
        if not still:
            self._leave()
        for recorded in still:
            if recorded.concerns(statement):
                with protected(self._connection.alias):
                    recorded.postpone()

    def _leave(self) -> None:
        if self in self._connection.execute_wrappers:
            self._connection.execute_wrappers.remove(self)
