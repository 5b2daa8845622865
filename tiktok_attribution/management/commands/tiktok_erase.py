"""`manage.py tiktok_erase`: erase the data of a person, and print a report as proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.management.tables import TablesCommand
from tiktok_attribution.privacy.erasure import erase
from tiktok_attribution.privacy.person import add_arguments, asked


class Command(TablesCommand):
    """Search every table of this app in every database. Exit with 1 if anything is left."""

    help = "Erase a person's events and signals. Prints a JSON report without personal data, as proof."

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="Say what would be erased, and erase nothing.")
        parser.add_argument("--report", metavar="FILE", help="Also write the report to a file.")

    @errors_without_values
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            who = asked(options)
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        report = erase(who, dry=options["dry_run"])
        text = json.dumps(report, indent=2)
        self.stdout.write(text)
        if options["report"]:
            Path(options["report"]).write_text(text + "\n", encoding="utf-8")
        left = ("events_still_with_data", "answers_still_with_data")
        if any(one[what] for one in report["databases"].values() for what in left):
            raise CommandError("Something was recorded meanwhile: run this again.", returncode=1)
