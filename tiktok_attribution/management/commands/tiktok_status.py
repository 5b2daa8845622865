"""`manage.py tiktok_status`: print the state of delivery, for people and for monitoring."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tiktok_attribution import conf
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.figures import PixelFigures, figures
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.management.tables import TablesCommand


class Command(TablesCommand):
    """Exit with 0 if all is well, with 1 if a pixel is stopped or an event is due for longer than --max-age."""

    help = "Print queue depth, age of the oldest due event, rates and problems of each pixel."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON list, for monitoring.")
        parser.add_argument(
            "--max-age", type=float, metavar="SECONDS", help="Fail if an event is due longer (ALERT_DELAY_MINUTES)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(figures())
        if options["json"]:
            spans = {one.database: [tuple(span) for span in outages.known(one.database)] for one in found}
            told = [{**one.as_json(), "outages": spans[one.database]} for one in found]
            self.stdout.write(json.dumps(told, indent=2))
        else:
            for one in found:
                self.stdout.write(_in_words(one))
            if not found:
                self.stdout.write("No pixel is configured and nothing waits.")
            for alias in outbox_databases():
                for outage in outages.known(alias):
                    self.stdout.write(
                        f"Rows were refused in {alias}: {outage}. Refusals may be lost: see tiktok_doctor"
                    )
        most = conf.current().alert_delay_seconds if options["max_age"] is None else options["max_age"]
        ill = [one for one in found if one.stopped or one.oldest_due_seconds > most]
        if ill:
            names = ", ".join(f"{one.pixel_code} ({one.database})" for one in ill)
            raise CommandError(f"problems with: {names}", returncode=1)


def _in_words(one: PixelFigures) -> str:
    head = f"{one.pixel_code} in {one.database}: "
    head += f"STOPPED: {one.stopped}" if one.stopped else "running"
    if one.paused_seconds:
        head += f", no request for {one.paused_seconds:g} s: TikTok wants a pause, or does not answer"
    if one.put_off_seconds:
        head += f", put off for {one.put_off_seconds:g} s too long by a wrong clock of the database"
    age = f", the oldest due for {one.oldest_due_seconds:g} s" if one.due else ""
    return (
        f"{head}\n"
        f"  waiting        {one.waiting}, of these due {one.due}{age}\n"
        f"  last hour      {one.delivered_last_hour} delivered in {one.posts_last_hour} requests,"
        f" {one.failed_posts_last_hour} of them failed\n"
        f"  last day       {one.invalid_last_day} invalid, {one.rejected_last_day} rejected,"
        f" {one.expired_last_day} expired"
    )
