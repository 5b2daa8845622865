"""`manage.py tiktok_prune`: clear bodies and delete old rows, as the KEEP_… settings and SNAPSHOT_DAYS say."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiktok_attribution.delivery.retention import has_more, prune_all

ROUND = 50_000


class Command(BaseCommand):
    """Prune, for cron on sites without Celery beat."""

    help = "Clear payloads and delete events, attempts and snapshots that are past their time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=_count, help="The most rows of each type, in each database.")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = prune_all(most=options["most"]) if options["most"] else _prune_everything()
        failed = counts.pop("failed", 0)
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        self.stdout.write(told or "nothing is past its time")
        if failed:
            raise CommandError("Not every database could be pruned; the log says why.")


def _prune_everything() -> Counter[str]:
    counts: Counter[str] = Counter()
    while True:
        done = prune_all(most=ROUND)
        counts.update(done)
        if done["failed"] or not has_more(done, ROUND):
            return counts


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
