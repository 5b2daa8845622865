"""Announces work to somebody who may be slow or away, without making anybody wait."""

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


class WakeUps:
    """A daemon thread that publishes what is announced, each work at most once every WAKEUP_SECONDS.

    Forgetful by design: what can't be published now is dropped, for the sweep finds it. After a failure it rests for
    REST_SECONDS, and tells of it once, until something was published again. Of no use after a fork.
    """

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        self._publish = publish
        self._wanted: set[Work] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def wake(self, pixel_code: str, using: str) -> None:
        """Returns at once; the publishing happens soon, in the thread."""
        with self._lock:
            if not self._is_running():
                self._thread = threading.Thread(target=self._run, name="tiktok-hints", daemon=True)
                self._thread.start()
            self._wanted.add((pixel_code, using))
        self._wake.set()

    def will_publish(self, pixel_code: str, using: str) -> bool:
        """Whether it is announced already, and what is committed by now in time for that."""
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
                logger.warning("tiktok: the broker takes no hints (%s); the sweep delivers", describe(error))
            self._failing = True
        else:
            self._failing = False
