"""`manage.py tiktok_attribution`: record and compute attribution now, without waiting for the worker."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from tiktok_attribution.attribution import work
from tiktok_attribution.attribution.days import start_of
from tiktok_attribution.attribution.joining import mark_stale
from tiktok_attribution.management.tables import TablesCommand


class Command(TablesCommand):
    """Record conversions that the outbox still has, and compute touches, credits and the daily roll-up."""

    help = "Record conversions from the events that are still there, and compute attribution. You can run it twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--recompute", action="store_true", help="Compute every conversion again, or those of --from and --to."
        )
        parser.add_argument("--from", type=_day, dest="first", metavar="DAY", help="The first day, as 2026-11-01.")
        parser.add_argument("--to", type=_day, dest="last", metavar="DAY", help="The last day, included.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not work.is_on():
            raise CommandError("ATTRIBUTION is off: set TIKTOK_ATTRIBUTION['ATTRIBUTION'] to True.")
        first, last = options["first"], options["last"]
        if not options["recompute"] and (first or last):
            raise CommandError("--from and --to choose the days of --recompute: add it.")
        if first and last and first > last:
            raise CommandError("--from is later than --to.")
        if options["recompute"]:
            zone = timezone.get_default_timezone()
            marked = mark_stale(
                since=None if first is None else start_of(first, zone),
                before=None if last is None else start_of(last + timedelta(days=1), zone),
            )
            self.stdout.write(f"{marked} conversions are computed again")
        counts = work.finish()
        words = ("recorded", "changed", "joined", "days")
        told = ", ".join(f"{counts[word]} {_WORDS[word]}" for word in words if counts[word])
        self.stdout.write(told or "nothing had changed")


_WORDS = {
    "recorded": "conversions recorded",
    "changed": "with a refund or reversal",
    "joined": "conversions computed",
    "days": "days rolled up",
}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write 2026-11-01") from None
