"""The request as a command line, to be tried by hand: without the token, which the shell fills in."""

from __future__ import annotations

import shlex

from tiktok_attribution.events.wire import request_body

TOKEN = "$TIKTOK_ACCESS_TOKEN"


def curl_command(api_url: str, pixel_code: str, text: str) -> str:
    """For a POSIX shell. What comes from settings or from a shopper stands in single quotes, where a shell expands
    nothing; `--data-raw` takes no "@" for a file. Only the name of the variable is for the shell to read."""
    return " \\\n  ".join(
        [
            f"curl --request POST {shlex.quote(api_url)}",
            f'--header "Access-Token: {TOKEN}"',
            "--header 'Content-Type: application/json'",
            f"--data-raw {shlex.quote(request_body(pixel_code, [text]).decode())}",
        ]
    )
