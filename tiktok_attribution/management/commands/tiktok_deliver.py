"""`manage.py tiktok_deliver`: what the Celery worker does, without one."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tiktok_attribution.delivery.send import deliver_all


class Command(BaseCommand):
    """For cron, for sites without a worker, and for a look at what happens."""

    help = "Send the events that are due to TikTok, once or in a loop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", type=float, metavar="SECONDS", help="Go on, looking again every SECONDS.")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            tally = deliver_all()
            if tally or not options["loop"]:
                told = ", ".join(f"{count} {what}" for what, count in sorted(tally.items()) if what != "posts")
                self.stdout.write(f"{told or 'nothing was due'} ({tally['posts']} requests)")
            if not options["loop"]:
                return
            time.sleep(options["loop"])
