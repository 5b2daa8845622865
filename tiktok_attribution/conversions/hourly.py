"""The backfill that goes on by itself: every hour, over the last hours, of what a query finds by its time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from django.db import Error as AnyDatabaseError
from django.db import router

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.turns import beat, seen_at
from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")

EVERY_SECONDS = 3600.0
DONE, FIRST = "backfill", "backfill-first"


def is_due(*, now: float | None = None) -> bool:
    """Whether an hour has passed; True for one process that asks. The first to ask ever only begins the first hour."""
    settings = conf.current()
    if not settings.enabled or settings.backfill_hours is None:
        return False
    using = write_database()
    now = database_time(using) if now is None else now
    done = seen_at(DONE, using=using)
    if done is not None and now - EVERY_SECONDS < done <= now:
        return False  # read alone: the loop asks every few seconds, and on SQLite a write would lock out the site
    is_first = seen_at(FIRST, using=using) is None
    if is_first:
        beat(FIRST, using=using, now=now)
    is_ours = beat(DONE, using=using, now=now, every=EVERY_SECONDS)
    if is_ours:
        for alias in outbox_databases():
            outages.prepare(alias)
    return is_ours and not is_first


@errors_without_values
def backfill_recent(*, now: float | None = None, stopping: Callable[[], bool] = lambda: False) -> Counter[str]:
    """Record what no signal saw in the last BACKFILL_HOURS.

    Never what happened before this ran for the first time: a site that brings the app in may have told TikTok of
    yesterday's orders by other means. The command `tiktok_backfill` looks further back.

    It costs four statements for 500 objects of those hours, and two more for each declaration. A declaration that no
    query narrows to those hours is left out.
    """
    counts: Counter[str] = Counter()
    settings = conf.current()
    if not settings.enabled or settings.backfill_hours is None:
        return counts
    now = database_time(write_database()) if now is None else now
    since = min(settings.backfill_hours * 3600, now - _first(now))
    for conversion in registry.every() if since > 0 else ():
        if stopping():
            break
        using = router.db_for_write(conversion.model)
        try:
            counts += backfill(conversion, using=using, since_seconds=since, recent=True, stopping=stopping)
        except AnyDatabaseError as error:
            logger.warning("tiktok: the backfill could not read %r (%s)", conversion, type(error).__name__)
    if counts["recorded"]:
        logger.info("tiktok: the backfill recorded %s conversions that no signal saw", counts["recorded"])
    return counts


def _first(now: float) -> float:
    """When the hourly backfill ran for the first time."""
    using = write_database()
    first = seen_at(FIRST, using=using)
    if first is None:
        beat(FIRST, using=using, now=now)
    return now if first is None else first
