"""`manage.py tiktok_link ADDRESS`: print the address of a landing page with TikTok's macros, for an ad."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiktok_attribution.attribution.link_builder import InvalidAddress, tagged_address


class Command(BaseCommand):
    """Print the address alone on standard output, and remarks on standard error."""

    help = "Print the address of a landing page with the parameters by which its clicks are told apart, for an ad."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "address", metavar="ADDRESS", help="The landing page: https://www.example.com/new/?colour=red"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tagged = tagged_address(options["address"])
        except InvalidAddress as error:
            raise CommandError(str(error)) from None
        self.stdout.write(tagged.address)
        if tagged.replaced:
            self.stderr.write(f"These parameters had another value: {', '.join(tagged.replaced)}.")
        for remark in tagged.remarks:
            self.stderr.write(remark)
        self.stderr.write("Changing the address of a live ad sends it into TikTok's review again.")
