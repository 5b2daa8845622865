"""Conversions recorded in a transaction that is still open, by connection: a second save finds the first one's."""

from __future__ import annotations

from collections.abc import Hashable
from weakref import WeakKeyDictionary, WeakValueDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.recorded import Recorded

# Kept alive by the connection's own list of commit hooks, and gone with them. Not kept on the objects: those are
# copied, pickled and loaded twice.
Open = WeakValueDictionary[tuple[Conversion, Hashable], Recorded]
_by_connection: WeakKeyDictionary[BaseDatabaseWrapper, Open] = WeakKeyDictionary()


def note(conversion: Conversion, pk: Hashable, recorded: Recorded, *, using: str) -> None:
    """Remember it until the transaction ends."""
    _by_connection.setdefault(connections[using], WeakValueDictionary())[conversion, pk] = recorded


def find(conversion: Conversion, pk: Hashable, *, using: str) -> Recorded | None:
    """What this object's conversion was recorded as in the open transaction; not if it was undone since."""
    here = _by_connection.get(connections[using])
    recorded = here.get((conversion, pk)) if here else None
    return recorded if recorded is not None and recorded.commitment.is_open else None
