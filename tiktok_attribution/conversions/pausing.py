"""Recording nothing for a while.

What is saved inside `paused()`, and counts by that, gets a mark: no later save, webhook or backfill records it. An
order that is imported unpaid gets none; it counts when it is paid after the import.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tiktok_attribution import conf

_paused: ContextVar[bool] = ContextVar("tiktok_attribution_paused", default=False)


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside this block, nor of what happened in it: for imports, fixtures and seeds.

    `bulk_create()` and `QuerySet.update()` send no signals, so name their objects by `hold_back()`.
    """
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def is_inside_paused() -> bool:
    """True inside `paused()` alone: what happens while the app is switched off is for the backfill to find."""
    return _paused.get()


def is_paused() -> bool:
    """True inside `paused()`, and where the app is switched off."""
    return _paused.get() or not conf.current().enabled
