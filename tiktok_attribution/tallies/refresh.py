"""Keeps the hours counted: the newest often, older ones seldom, for what becomes of an event may come days later."""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

from django.db import Error as DatabaseTrouble
from django.db import transaction

from tiktok_attribution import conf
from tiktok_attribution.delivery.heartbeat import beat, seen_at
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import HourTally
from tiktok_attribution.tallies.counting import HOUR, count_hours

logger = logging.getLogger("tiktok_attribution")

DAY = 24 * HOUR


class Round(NamedTuple):
    """Hours that are counted together, and how often. Its name is that of its heartbeat."""

    name: str
    hours: int
    every_seconds: float


RECENT = Round("hours-recent", 3, 120)
LATE = Round("hours-late", 48, HOUR)
WHOLE = Round("hours-whole", 31 * 24, DAY)
"""As far back as the overview looks. The one that takes seconds: a million rows are about ten."""


def refresh_all(*, now: float | None = None) -> None:
    """For what runs in the background: whichever round is due, in every database. Raises nothing of a database's."""
    now = time.time() if now is None else now
    for using in outbox_databases():
        try:
            for one in (WHOLE, LATE, RECENT):
                if beat(one.name, using=using, now=now, every=one.every_seconds):
                    count_again(one.hours, using=using, now=now)
                    break  # a longer round holds the shorter ones
        except DatabaseTrouble:
            logger.exception("tiktok: the hours in database %r could not be counted", using)


def refresh_recent(*, using: str, now: float, stale_seconds: float = 60.0, seconds: float = 1.0) -> None:
    """For the overview: the newest hours if they are stale; if none was ever counted, what goes into `seconds`."""
    if not beat(RECENT.name, using=using, now=now, every=stale_seconds):
        return
    if seen_at(WHOLE.name, using=using) is not None:
        count_again(RECENT.hours, using=using, now=now)
    elif count_again(WHOLE.hours, using=using, now=now, seconds=seconds):
        beat(WHOLE.name, using=using, now=now, every=WHOLE.every_seconds)


def count_again(hours: int, *, using: str, now: float, seconds: float | None = None) -> bool:
    """Count this hour and those before it, `hours` in all, newest day first. False when `seconds` were over before.

    Hours whose events may have been pruned keep what was counted while they were there.
    """
    began = time.monotonic()
    end = int(now) // HOUR * HOUR + HOUR
    kept_since = now - conf.current().keep_event_days * DAY
    first = max(end - hours * HOUR, (int(kept_since) // HOUR + 1) * HOUR)
    while end > first:
        start = max(first, end - DAY)
        _replace(start, end, using)
        end = start
        if end > first and seconds is not None and time.monotonic() - began > seconds:
            return False
    return True


def _replace(start: int, end: int, using: str) -> None:
    rows = count_hours(start, end, using=using)
    tallies = HourTally.objects.using(using)
    with transaction.atomic(using=using):
        tallies.filter(hour__gte=start, hour__lt=end).delete()
        # Two who count at once find the same; the second's rows are the first's.
        tallies.bulk_create(rows, batch_size=200, ignore_conflicts=True)
