"""`manage.py tiktok_prune`: clear payloads and delete old rows, as the setting KEEP_… says."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tiktok_attribution.delivery.housekeeping import prune_all


class Command(BaseCommand):
    """For cron, on sites without Celery beat."""

    help = "Clear payloads and delete events, attempts and snapshots that are past their time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--most", type=int, default=50_000, help="At most so many rows of a kind (default 50000).")

    def handle(self, *args: Any, **options: Any) -> None:
        tally = prune_all(most=options["most"])
        self.stdout.write(", ".join(f"{count} {what}" for what, count in tally.items()))
