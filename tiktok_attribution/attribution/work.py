"""The background work of attribution, in its order: record, read objects again, join touches, roll up.

`work` is registered as a chore: the sweep and `tiktok_deliver --loop` run it, one process at a time as a rule.
Everything in it is safe for several processes at once.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from django.db import Error as AnyDatabaseError

from tiktok_attribution import conf
from tiktok_attribution.attribution import conversions, joining, links, roll_up, site_objects, touch_changes
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.delivery.turns import beat
from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")

TURN = "attribution"  # the heartbeat of the last round
EVERY_SECONDS = 20.0
STEP_SECONDS = 0.5
"""Seconds of each part of the work in one round, so that deliveries are not delayed."""


def is_on() -> bool:
    """Return whether conversions are recorded for attribution."""
    settings = conf.current()
    return settings.enabled and settings.attribution.enabled


def is_due() -> bool:
    """Return whether the work is due, to one process only."""
    return is_on() and beat(TURN, using=write_database(), every=EVERY_SECONDS)


@errors_without_values
def work(*, seconds: float = STEP_SECONDS, now: float | None = None) -> Counter[str]:
    """Do a step of each part of the work, `seconds` long at most. Return counts of what was done.

    `now` is epoch seconds, for tests; without it the databases are asked. Raises no database error.
    """
    counts: Counter[str] = Counter()
    if not is_on():
        return counts
    at = 0.0

    def stale() -> int:
        joining.mark_for_settings()
        touch_changes.mark_late_touches(until=time.monotonic() + seconds)
        links.read_links()
        return joining.refresh_stale(until=time.monotonic() + seconds, now=at)

    parts: dict[str, Callable[[], int]] = {
        "recorded": lambda: conversions.record_new(until=time.monotonic() + seconds, now=now),
        "changed": lambda: site_objects.read_changed(until=time.monotonic() + seconds, now=now),
        "read again": lambda: site_objects.read_recent(until=time.monotonic() + seconds, now=now),
        "joined": stale,
        "days": lambda: roll_up.refresh_days(until=time.monotonic() + seconds, now=at),
    }
    for name, part in parts.items():
        try:
            at = database_time(attribution_database()) if now is None else now
            counts[name] = part()
        except AnyDatabaseError as error:
            logger.warning("tiktok: attribution, %s: %s; the next round tries again", name, type(error).__name__)
    return counts


def finish(*, now: float | None = None) -> Counter[str]:
    """Do all the work that there is. For the command."""
    total: Counter[str] = Counter(recorded=conversions.read_all_again(now=now)) if is_on() else Counter()
    while done := +work(seconds=5.0, now=now):
        total += done
    return total
