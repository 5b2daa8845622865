"""Sends what is due, lane by lane: two short transactions a batch, none of them open over the network."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

from django.db import Error as AnyDatabaseError

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes, pixels
from tiktok_attribution.delivery.clock import Clock, clock_of
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.pixel_sender import PixelRun
from tiktok_attribution.delivery.post import most_pace_seconds
from tiktok_attribution.delivery.results import Counts
from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")

GLANCE_SECONDS = 0.2  # how long a pause may keep a process that is asked to end
MOST_WAIT_SECONDS = 5.0  # a longer pause is TikTok's, unless the rate limit is that low; the next round comes again


def _never() -> bool:
    return False


def deliver_all(*, clock: Clock | None = None, stopping: Callable[[], bool] = _never) -> Counts:
    """Send whatever is due, for every pixel in every database. What fails for one is logged, counted under "failed",
    and keeps no other waiting. `stopping` is asked before each POST."""
    counts: Counts = Counter()
    for using, pixel_code in work_everywhere(counts):
        try:
            counts += deliver(pixel_code, using=using, clock=clock, stopping=stopping)
        except Exception:
            logger.exception("tiktok pixel %s: its events in %r could not be sent and wait", pixel_code, using)
            counts["failed"] += 1
    return counts


def work_everywhere(failures: Counts | None = None) -> Iterator[tuple[str, str]]:
    """Database alias and pixel code wherever a row waits. A database that can't be read is logged and passed over."""
    for using in outbox_databases():
        try:
            codes = list(lanes.pixels_with_work(using))
        except AnyDatabaseError as error:
            logger.warning(
                "tiktok: the outbox in database %r can't be read (%s). Run migrate for it, or let a router's "
                "allow_migrate say that it holds no table of tiktok_attribution.",
                *(using, type(error).__name__),
            )
            if failures is not None and using == write_database():
                failures["failed"] += 1
            continue
        yield from ((using, code) for code in codes)


@errors_without_values
def deliver(
    pixel_code: str, *, using: str, clock: Clock | None = None, stopping: Callable[[], bool] = _never
) -> Counts:
    """Send whatever is due for one pixel, and wait where the rate limit wants that: for a process that does nothing
    else. Lanes that another worker holds are left to it. `clock` gives epoch seconds; the database's by default.
    """
    token = pixels.token_to_send_with(using, pixel_code) if conf.current().enabled else ""
    if not token:
        return Counter()
    clock = clock or clock_of(using)
    most_wait = max(MOST_WAIT_SECONDS, most_pace_seconds(conf.current()))
    counts: Counts = Counter()
    while True:
        run = PixelRun(pixel_code, token, using=using, clock=clock, stopping=stopping)
        next_at = run.deliver()
        counts += run.counts
        if next_at is None or next_at - clock() > most_wait or stopping():
            return counts
        _wait(next_at, clock, stopping)
        if clock() < next_at:
            return counts  # asked to end, or the clock stands still: the next round comes again


def _wait(until: float, clock: Clock, stopping: Callable[[], bool]) -> None:
    """Until then, or until somebody wants this process to end."""
    end = time.monotonic() + max(until - clock(), 0.0)
    while (left := end - time.monotonic()) > 0 and not stopping():
        time.sleep(min(left, GLANCE_SECONDS))
