"""Wake a worker for new events from a thread, so that no request waits for the broker.

`WakeUps.wake` only notes the pixel and returns. The thread then publishes one Celery task for each pixel and database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tiktok_attribution import conf
from tiktok_attribution.failures import describe

logger = logging.getLogger("tiktok_attribution")

REST_SECONDS = 5.0
Work = tuple[str, str]
"""Pixel code and database alias."""


# Decision: worker wake-ups are published by a thread. On commit, the pixel code goes into a set, and a daemon thread
# publishes it. The shopper never waits for a broker, and a thousand orders in a second become a few tasks. A wake-up
# may be lost, because the sweep finds every due event. With eager Celery nothing is published (`tasks.uses_broker`):
# the POST would run inside the request.
class WakeUps:
    """Publish wake-ups from a daemon thread, at most once every WAKEUP_SECONDS for one pixel and database.

    A wake-up that can't be published now is discarded: the sweep delivers its events. After a failure the thread
    waits for REST_SECONDS. It logs the failure once, and again only after something was published in between. An
    object of this class is useless after a fork (`tasks._after_fork`).
    """

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        self._publish = publish
        self._wanted: set[Work] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def wake(self, pixel_code: str, using: str) -> None:
        """Schedule a wake-up and return at once; the thread publishes it soon."""
        with self._lock:
            if not self._is_running():
                self._thread = threading.Thread(target=self._run, name="tiktok-wake-ups", daemon=True)
                self._thread.start()
            self._wanted.add((pixel_code, using))
        self._wake.set()

    def will_publish(self, pixel_code: str, using: str) -> bool:
        """Return True if a wake-up is scheduled that also covers everything committed until now."""
        return (pixel_code, using) in self._wanted and self._is_running()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, set()
            for pixel_code, using in wanted:
                self._try(pixel_code, using)
            time.sleep(REST_SECONDS if self._failing else conf.current().wakeup_seconds)

    def _try(self, pixel_code: str, using: str) -> None:
        try:
            self._publish(pixel_code, using)
        except Exception as error:  # noqa: BLE001 -- whatever a broker's library raises
            if not self._failing:
                logger.warning("tiktok: the broker accepts no wake-ups (%s); the sweep delivers", describe(error))
            self._failing = True
        else:
            self._failing = False
