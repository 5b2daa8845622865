"""Count landings by day, pixel and what became of them, in few statements however many landings there are."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from time import monotonic
from zoneinfo import ZoneInfo

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, connections, router, transaction
from django.db.models import F
from django.utils import timezone as django_timezone

from tiktok_attribution import conf
from tiktok_attribution.failures import reason
from tiktok_attribution.in_tests import is_test_process
from tiktok_attribution.models import LandingCount

logger = logging.getLogger("tiktok_attribution")

STORED, UNPAID, OVER_LIMIT, MACROS, NO_CONSENT = "stored", "unpaid", "over_limit", "macros", "no_consent"
"""What became of a landing: a touch by a TikTok ad, another touch, or none. One with unfilled macros counts as that as
well, whether it was stored or not."""

BETWEEN_SECONDS = 10.0
MOST_WAITING = 500
"""Rows that wait in the memory of a process; with more they are written at once."""

Key = tuple[date, str, str]


# Decision: a process writes its counts at most every BETWEEN_SECONDS. A flood of landings beyond the limits costs the
# database nothing then, and an ordinary landing costs its own INSERT. The first landing after a quiet time is counted
# at once. The last ones before a quiet time are written by a thread: the next landing may be hours away. What a process
# still holds when it ends is lost: at most the landings of ten seconds. The touches themselves are rows, so nothing is
# attributed by these counts.
class Counts:
    """The landings that a process has seen and not written yet."""

    def __init__(self) -> None:
        self._waiting: Counter[Key] = Counter()
        self._lock = threading.Lock()
        self._next = 0.0  # by the process's own clock
        self._timer: threading.Timer | None = None

    def add(self, shop: str, outcome: str, at: float) -> None:
        """Count a landing at this moment (epoch seconds), and write what waits if it is time."""
        with self._lock:
            self._waiting[day_of(shop, at), shop, outcome] += 1
            now = monotonic()
            if now < self._next and len(self._waiting) < MOST_WAITING:
                self._write_later()
                return
            self._next = now + BETWEEN_SECONDS
            found, self._waiting = self._waiting, Counter()
        write(found)

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            found, self._waiting = self._waiting, Counter()
        write(found)

    def _write_later(self) -> None:
        """Start the thread that writes what waits, unless it runs. After a fork it does not run."""
        # In a site's tests it would write into a later test. A server without threads writes with the next landing.
        if is_test_process() or (self._timer is not None and self._timer.is_alive()):
            return
        self._timer = threading.Timer(BETWEEN_SECONDS, self._write_alone)
        self._timer.name, self._timer.daemon = "tiktok-landings", True
        with suppress(RuntimeError):
            self._timer.start()

    def _write_alone(self) -> None:
        try:
            self.flush()
        finally:
            connections.close_all()  # those of this thread


counts = Counts()


def write(found: Mapping[Key, int]) -> None:
    """Add to the rows of their days. An error is logged: no landing depends on its count."""
    using = router.db_for_write(LandingCount)
    try:
        with transaction.atomic(using=using):  # inside a transaction of the site, a savepoint
            for (day, shop, outcome), many in sorted(found.items()):
                _add(day, shop, outcome, many, using)
    except AnyDatabaseError as error:
        logger.error("tiktok: landings could not be counted: %s", reason(error))  # noqa: TRY400 -- its text may hold data


def _add(day: date, shop: str, outcome: str, many: int, using: str) -> None:
    rows = LandingCount.objects.using(using).filter(day=day, shop=shop, outcome=outcome)
    if rows.update(count=F("count") + many):
        return
    try:
        with transaction.atomic(using=using):
            rows.create(day=day, shop=shop, outcome=outcome, count=many)
    except IntegrityError:  # another process has just made the row
        rows.update(count=F("count") + many)


def day_of(shop: str, at: float) -> date:
    """Return the day of a moment (epoch seconds) in the zone of the pixel's advertiser, else in TIME_ZONE."""
    return datetime.fromtimestamp(at, tz=_zone(shop)).date()


def _zone(shop: str) -> ZoneInfo:
    for advertiser in conf.current().marketing_api.values():
        if advertiser.time_zone is not None and shop in advertiser.pixels:
            return advertiser.time_zone
    return django_timezone.get_default_timezone()
