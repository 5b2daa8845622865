"""`manage.py tiktok_deliver`: do the work of the Celery worker without Celery."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections

from tiktok_attribution.conversions import backfill
from tiktok_attribution.delivery import manual, turns
from tiktok_attribution.delivery.figures import figures
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.delivery.pixel_sender import deliver_all
from tiktok_attribution.delivery.repair import repair_everywhere
from tiktok_attribution.delivery.results import Counts
from tiktok_attribution.delivery.retention import drop_unanswered
from tiktok_attribution.delivery.turns import EVERY_SECONDS, LOOP, beat
from tiktok_attribution.management.tables import TablesCommand
from tiktok_attribution.monitoring.alerts import notify_all
from tiktok_attribution.monitoring.hourly_statistics import refresh_all

BULK_SECONDS = 5.0
"""The most seconds of one round for background jobs, so that due events don't wait longer."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Command(TablesCommand):
    """Send due events, for cron and for sites without a worker."""

    help = "Send the events that are due to TikTok, once or in a loop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", type=_seconds, metavar="SECONDS", help="Repeat, with a pause of SECONDS.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["loop"] is None:
            repair_everywhere()
            manual.work_everywhere()
            turns.run_chore(turns.FINISH)
            counts = deliver_all()
            if turns.chore_is_due(turns.ATTRIBUTION):
                turns.run_chore(turns.ATTRIBUTION)
            self._tell(counts)
            self._tell_of_the_stopped()
            if counts["failed"]:
                raise CommandError("Some events could not be sent and wait; the log says why.")
            return
        with _asked_to_end() as ending:
            while not ending.is_set():
                close_old_connections()  # to connect again if the database was restarted
                repair_everywhere()
                manual.work_everywhere(seconds=BULK_SECONDS, stopping=ending.is_set)
                turns.run_chore(turns.FINISH)
                if turns.chore_is_due(turns.BACKFILL):
                    backfill.backfill_recent(stopping=ending.is_set)
                counts = deliver_all(stopping=ending.is_set)
                if counts:
                    self._tell(counts)
                drop_unanswered()
                beat(LOOP, using=write_database())
                refresh_all()
                if turns.chore_is_due(turns.ATTRIBUTION):
                    turns.run_chore(turns.ATTRIBUTION)
                notify_all()
                _wait(ending, options["loop"])

    def _tell(self, counts: Counts) -> None:
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()) if what != "posts")
        self.stdout.write(f"{told or 'nothing was due'} ({counts['posts']} requests)")

    def _tell_of_the_stopped(self) -> None:
        for pixel in figures():
            if pixel.stopped and pixel.waiting:
                text = f"Pixel {pixel.pixel_code} is stopped, and {pixel.waiting} events wait: {pixel.stopped}"
                self.stderr.write(self.style.WARNING(text))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _wait(ending: threading.Event, seconds: float) -> None:
    """Wait, and write a sign of life each minute, so that a long pause does not look like a stopped loop."""
    while seconds > EVERY_SECONDS and not ending.wait(EVERY_SECONDS):
        beat(LOOP, using=write_database())
        seconds -= EVERY_SECONDS
    ending.wait(seconds)


@contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set.

    The batch that is being sent is finished first, to know its result.
    """
    ending = threading.Event()
    before = {number: signal.signal(number, lambda *_: ending.set()) for number in SIGNALS}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
