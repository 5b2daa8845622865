"""Announces work to somebody who may be slow or away, without making anybody wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tiktok_attribution import conf

logger = logging.getLogger("tiktok_attribution")

Work = tuple[str, str]
"""Pixel code and database alias."""


class Announcer:
    """A daemon thread that publishes what is announced, each work at most once every HINT_SECONDS.

    Forgetful by design: what can't be published now is dropped, for the sweep finds it. Of no use after a fork.
    """

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        self._publish = publish
        self._wanted: set[Work] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def announce(self, pixel_code: str, using: str) -> None:
        """Returns at once; the publishing happens soon, in the thread."""
        with self._lock:
            self._wanted.add((pixel_code, using))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="tiktok-hints", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, set()
            for pixel_code, using in wanted:
                self._try(pixel_code, using)
            time.sleep(conf.current().hint_seconds)

    def _try(self, pixel_code: str, using: str) -> None:
        try:
            self._publish(pixel_code, using)
        except Exception as error:  # noqa: BLE001 -- whatever a broker's library raises
            logger.warning("tiktok: the broker took no hint (%s); the sweep will deliver", type(error).__name__)
