"""`manage.py tiktok_standin`: run a stand-in for TikTok on this machine, for demos and tests."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tiktok_attribution.testing.server import add_arguments, serve


class Command(BaseCommand):
    """Does the same as `python -m tiktok_attribution.testing`."""

    help = "Run the stand-in for TikTok's pixel and Events API on 127.0.0.1."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(
            serve(options["port"], tokens=dict(options["token"]), journal=options["journal"], quiet=options["quiet"])
        )
