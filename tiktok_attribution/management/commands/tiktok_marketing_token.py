"""`manage.py tiktok_marketing_token`: exchange OAuth's code for a token of the Marketing API."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tiktok_attribution import conf
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.marketing.client import MarketingClient
from tiktok_attribution.marketing.exchange import exchange_code
from tiktok_attribution.marketing.reports import FetchFailed

MOST_CHARACTERS = 500


class Command(BaseCommand):
    """Print a secret: keep the output in your secret store only. Nothing is stored."""

    help = "Exchange an authorization code for a token of TikTok's Marketing API. Secret and code: standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_id", metavar="APP_ID", help="The id of your app in TikTok's developer portal.")

    @errors_without_values
    def handle(self, *args: Any, **options: Any) -> None:
        app_id = options["app_id"]
        if not app_id.isascii() or not app_id.isdecimal():
            raise CommandError("APP_ID is a number. Secret and code are read from standard input.")
        secret, code = _line("App secret: "), _line("Authorization code: ")
        if not secret or not code:
            raise CommandError("Write the app's secret and the authorization code to standard input, one a line.")
        settings = conf.current()
        try:
            with MarketingClient(settings.marketing_api_url, settings.timeout_seconds) as client:
                granted = exchange_code(client, app_id, secret, code)
        except FetchFailed as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"token: {granted.token}")
        self.stdout.write(f"advertiser ids: {', '.join(granted.advertiser_ids) or 'none'}")
        self.stdout.write(f"scope: {granted.scope or 'not told'}")
        self.stderr.write("Keep the token in your secret store, and put it into MARKETING_API for each advertiser.")


def _line(prompt: str) -> str:
    """Read one line; on a terminal without showing it."""
    text = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline(MOST_CHARACTERS)
    return text.strip()
