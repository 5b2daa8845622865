"""Walk over the keys of a table in bounded steps, from time to time: the progress of such a pass is in the database.

Any process takes the next step (`next_step`). A step is claimed before it is worked on, so two processes share a pass.
If a process dies, the next pass does the step again; so what is done in a step must be safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.models import Heartbeat


class KeyPass(NamedTuple):
    """A pass over a range of keys, and how often it is made. It uses two heartbeats, as a recount pass of hours does.

    The heartbeat `name` says when a pass was last completed. The heartbeat `cursor` holds no moment but the next key;
    0 while no pass is running.
    """

    name: str
    every_seconds: float

    @property
    def cursor(self) -> str:
        """Return the name of the heartbeat that holds the progress of the pass."""
        return f"{self.name}-at"


Step = tuple[int, int]
"""The first key of a step, and the key where the next step begins."""


def next_step(
    one: KeyPass,
    *,
    using: str,
    now: float,
    keys: int,
    begin: Callable[[], int],
    end: Callable[[], int],
    above: Callable[[int], int | None],
) -> Step | None:
    """Claim the next step of a pass, of at most `keys` keys. Return None if none is due or another process was faster.

    `begin` and `end` return the first key of a new pass and the key before which it ends. `above` returns the first
    stored key that is not below the given one: keys have gaps.
    """
    cursors = Heartbeat.objects.using(using).filter(pk=one.cursor)
    low = int(seen_at(one.cursor, using=using) or 0)
    if not low:
        done = seen_at(one.name, using=using)
        if done is not None and now - one.every_seconds < done <= now + one.every_seconds:
            return None
        low, high = begin(), end()
        if high - low <= keys:  # in one step, without a write for the cursor
            return (low, high) if beat(one.name, using=using, now=now, every=one.every_seconds) else None
        Heartbeat.objects.using(using).get_or_create(pk=one.cursor)
        if not cursors.filter(seen_at=0).update(seen_at=low):
            return None
    high = end()
    following = above(low + keys)
    is_last = following is None or following >= high
    if is_last:  # before the cursor says so, or another process would begin the next pass
        beat(one.name, using=using, now=now, every=0)
    if not cursors.filter(seen_at=low).update(seen_at=0 if is_last else following):
        return None
    return low, max(high, low) if is_last else low + keys
