"""Recording nothing for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tiktok_attribution import conf

_paused: ContextVar[bool] = ContextVar("tiktok_attribution_paused", default=False)


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside this block: for imports, fixtures and seeds."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def is_paused() -> bool:
    """True inside `paused()`, and where the app is switched off."""
    return _paused.get() or not conf.current().enabled
