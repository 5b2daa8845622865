"""Celery's door to delivery. Tasks carry a pixel code and a database alias, never a payload.

A hint is only that: whatever no task announces is found by `sweep`. It is published by a thread of its own, so that a
broker that is down or slow costs the shopper's request nothing, and a thousand orders in a second are a few tasks.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from celery import current_app, shared_task

from tiktok_attribution import conf
from tiktok_attribution.delivery import housekeeping, lanes, send
from tiktok_attribution.delivery.outbox import outbox_databases

logger = logging.getLogger("tiktok_attribution")


@shared_task(name="tiktok_attribution.deliver", ignore_result=True)
def deliver(pixel_code: str, using: str = "default") -> None:
    """Send what is due for one pixel."""
    send.deliver(pixel_code, using=using)


@shared_task(name="tiktok_attribution.sweep", ignore_result=True)
def sweep() -> None:
    """For Celery beat, about once a minute: find what no hint announced, one task a pixel."""
    for using in outbox_databases():
        for pixel_code in lanes.pixels_with_work(using):
            deliver.apply_async((pixel_code, using), ignore_result=True)


@shared_task(name="tiktok_attribution.prune", ignore_result=True)
def prune() -> None:
    """For Celery beat, about once a day: clear payloads and delete old rows."""
    housekeeping.prune_all()


def hint(pixel_code: str, using: str) -> None:
    """Ask for delivery soon. Returns at once and never raises; call it after the commit."""
    if not current_app.conf.task_always_eager:  # eager tasks would put the network call into this process
        _announcer.announce(pixel_code, using)


class _Announcer:
    """A daemon thread that publishes hints, each pixel at most once every HINT_SECONDS."""

    def __init__(self) -> None:
        self._wanted: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def announce(self, pixel_code: str, using: str) -> None:
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
                self._publish(pixel_code, using)
            time.sleep(conf.current().hint_seconds)

    def _publish(self, pixel_code: str, using: str) -> None:
        try:
            deliver.apply_async((pixel_code, using), retry=False, ignore_result=True)
        except Exception as error:  # whatever the broker's library raises: the sweep finds the rows
            logger.warning("tiktok: the broker took no hint (%s); the sweep will deliver", type(error).__name__)


_announcer = _Announcer()


def _after_fork() -> None:
    """A forked child has none of its parent's threads, and may have its locks in any state."""
    global _announcer
    _announcer = _Announcer()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
