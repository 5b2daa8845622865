"""`manage.py tiktok_doctor`: find what keeps events from TikTok, why, and how to fix it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.doctor.run import everything


class Command(BaseCommand):
    """Exit with 0 if no result is an error, with 1 otherwise. Changes nothing and sends nothing."""

    help = "Check settings, middleware, pixels, worker, broker, migrations and the tag on the site's front page."
    requires_system_checks: list[str] = []  # their messages are among the results

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON list, for monitoring.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = everything()
        if options["json"]:
            self.stdout.write(json.dumps([result.as_json() for result in found], indent=2))
        else:
            for result in found:
                self.stdout.write(self._in_words(result))
        wrong = [result.id for result in found if result.level is Level.ERROR]
        if wrong:
            raise CommandError(f"to be fixed: {', '.join(wrong)}", returncode=1)

    def _in_words(self, result: CheckResult) -> str:
        styles = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
        head = styles[result.level](f"{result.level.value:8}")
        return "\n          ".join(
            [f"{head}  {result.what}", *(str(text) for text in (result.reason, result.fix) if text)]
        )
