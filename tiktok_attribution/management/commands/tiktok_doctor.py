"""`manage.py tiktok_doctor`: what keeps events from TikTok, why, and how to mend it."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiktok_attribution.diagnosis.finding import Finding, Level
from tiktok_attribution.diagnosis.run import everything


class Command(BaseCommand):
    """Exits 0 when nothing is an error, 1 otherwise. Changes nothing and sends nothing."""

    help = "Look at settings, middleware, pixels, worker, broker, migrations and the tag on the site's front page."
    requires_system_checks: list[str] = []  # they are among the findings

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON list, for monitoring.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = everything()
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_json() for finding in found], indent=2))
        else:
            for finding in found:
                self.stdout.write(self._in_words(finding))
        wrong = [finding.id for finding in found if finding.level is Level.ERROR]
        if wrong:
            raise CommandError(f"to be mended: {', '.join(wrong)}", returncode=1)

    def _in_words(self, finding: Finding) -> str:
        styles = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
        head = styles[finding.level](f"{finding.level.value:8}")
        return "\n          ".join(
            [f"{head}  {finding.what}", *(str(text) for text in (finding.why, finding.mend) if text)]
        )
