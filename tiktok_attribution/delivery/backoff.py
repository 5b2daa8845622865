"""How long to wait before the next attempt."""

from __future__ import annotations

import random

# TikTok drops a repeated event_id for 48 hours after the first. Past this age of an attempt whose fate is unknown, one
# more could be counted as a second event.
MOST_UNKNOWN_SECONDS = 47 * 3600


def delay_seconds(attempts: int, *, base: float, most: float, floor: float = 0.0) -> float:
    """Full jitter: anything up to base · 2^attempts (at most `most`), but not less than `floor`, TikTok's own wish."""
    ceiling = min(most, base * 2.0 ** min(attempts, 30))
    return max(random.uniform(0, ceiling), floor)  # noqa: S311 -- spreads workers, hides nothing
