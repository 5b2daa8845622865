"""Sends what is due, lane by lane: two short transactions a batch, none of them open over the network."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

from django.db import Error as DatabaseTrouble

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes, pixels
from tiktok_attribution.delivery.marks import Tally
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.pixel_run import PixelRun
from tiktok_attribution.errors import errors_without_values

logger = logging.getLogger("tiktok_attribution")

Clock = Callable[[], float]


def _never() -> bool:
    return False


def deliver_all(*, clock: Clock = time.time, stopping: Callable[[], bool] = _never) -> Tally:
    """Send whatever is due, for every pixel in every database. What fails for one is logged, counted under "failed",
    and keeps no other waiting. `stopping` is asked before each POST."""
    tally: Tally = Counter()
    for using, pixel_code in work_everywhere(tally):
        try:
            tally += deliver(pixel_code, using=using, clock=clock, stopping=stopping)
        except Exception:
            logger.exception("tiktok pixel %s: its events in %r could not be sent and wait", pixel_code, using)
            tally["failed"] += 1
    return tally


def work_everywhere(failures: Tally | None = None) -> Iterator[tuple[str, str]]:
    """Database alias and pixel code wherever a row waits. A database that can't be read is logged and passed over."""
    for using in outbox_databases():
        try:
            codes = list(lanes.pixels_with_work(using))
        except DatabaseTrouble as error:
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
def deliver(pixel_code: str, *, using: str, clock: Clock = time.time, stopping: Callable[[], bool] = _never) -> Tally:
    """Send whatever is due for one pixel. Lanes that another worker holds are left to it."""
    token = pixels.token_to_send_with(using, pixel_code) if conf.current().enabled else ""
    if not token:
        return Counter()
    return PixelRun(pixel_code, token, using=using, clock=clock, stopping=stopping).deliver()
