"""`manage.py tiktok_export`: print everything that is stored about a person, as JSON."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.management.tables import TablesCommand
from tiktok_attribution.privacy.copy import export
from tiktok_attribution.privacy.person import add_arguments, asked


class Command(TablesCommand):
    """Print personal data: give the output only to the person."""

    help = "Print a person's events, attempts and signals as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    @errors_without_values
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            who = asked(options)
        except ConfigurationError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(export(who), indent=2))
