"""The event as a command line: what a shell makes of it, whatever a shopper has typed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.admin.samples import PIXEL
from tiktok_attribution.admin.event_page import curl_command
from tiktok_attribution.events import Event, Page
from tiktok_attribution.events.wire import event_text, request_body

URL = "https://business-api.tiktok.com/open_api/v1.3/event/track/"
SHELL = "/bin/sh"
TOKEN = "0123456789abcdef"
FAKE = '#!/bin/sh\nfor one in "$@"; do printf "%s\\0" "$one"; done\n'
ATTACKS = [
    "'; touch stolen; echo '",
    "$(touch stolen)",
    "`touch stolen`",
    '"; touch stolen; "',
    "\n touch stolen \n",
    "\\'; touch stolen #",
    "!!; !$; ${TIKTOK_ACCESS_TOKEN}",
    "' --output stolen '",
    "'\"'\"'; touch stolen; '\"'\"'",
    "\x00\x1b]0;stolen\x07\u2028\U0001f375é",
    "@/etc/passwd",
]


def text_with(words: str) -> str:
    event = Event(
        name="Search",
        event_id=f"web-{words}",
        event_time=1,
        page=Page(url=f"https://shop.example/?q={words}"),
        properties={"search_string": words},
    )
    return event_text(event)


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("words", ATTACKS)
def test_a_shell_reads_exactly_the_request_and_runs_nothing_else(words: str, shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is not there")
    fake = tmp_path / "bin" / "curl"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    text = text_with(words)

    ran = subprocess.run(
        [shell, "-c", curl_command(URL, PIXEL, text)],
        cwd=tmp_path,
        env={"PATH": f"{fake.parent}:{os.environ['PATH']}", "TIKTOK_ACCESS_TOKEN": TOKEN},
        capture_output=True,
        check=True,
    )

    *arguments, _ = ran.stdout.decode().split("\0")
    body = request_body(PIXEL, [text]).decode()
    assert arguments == [
        *("--request", "POST", URL, "--header", f"Access-Token: {TOKEN}"),
        *("--header", "Content-Type: application/json", "--data-raw", body),
    ]
    assert json.loads(arguments[-1])["data"][0]["properties"]["search_string"] == words
    assert ran.stderr == b""
    assert [found.name for found in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize("url", ["https://x.example/$(id)", "https://x.example/'; id; '", "-o stolen"])
def test_an_address_from_the_settings_is_one_word(url: str) -> None:
    command = curl_command(url, PIXEL, text_with("tea"))

    ran = subprocess.run(
        [SHELL, "-c", f'curl() {{ printf %s "$3"; }}\n{command}'],
        capture_output=True,
        check=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert ran.stdout == url


def test_the_token_is_a_name_and_never_a_value() -> None:
    assert '"Access-Token: $TIKTOK_ACCESS_TOKEN"' in curl_command(URL, PIXEL, text_with("tea"))
