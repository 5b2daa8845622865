"""What higher floors do in the background, by name: registered when Django starts, run by the sweep and the loop.

So a task needs to know nothing of conversions, as delivery does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")

FINISH, BACKFILL = "finish", "backfill"

Chore = Callable[[], object]
_registered: dict[str, tuple[Chore, Callable[[], bool]]] = {}


def register(name: str, chore: Chore, *, is_due: Callable[[], bool] = lambda: True) -> None:
    """`is_due` says True to one process that asks. The last one of a name counts."""
    _registered[name] = chore, is_due


def is_due(name: str) -> bool:
    """Whether to run it now. False where it can't be told."""
    try:
        return name in _registered and _registered[name][1]()
    except Exception:
        logger.exception("tiktok: can't tell whether %s is due", name)
        return False


@errors_without_values
def run(name: str) -> None:
    """Raises nothing: what fails here must keep no event from being sent."""
    try:
        if name in _registered:
            _registered[name][0]()
    except Exception:
        logger.exception("tiktok: %s failed; the next round tries again", name)
