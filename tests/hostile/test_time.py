"""What a visitor sends costs time in proportion to its length, up to a bound, whichever function reads it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tiktok_attribution
from tests.hostile.patterns import patterns
from tests.hostile.readers import READERS, run
from tests.hostile.texts import LENGTH, PARTS, of_length
from tiktok_attribution.events.contents import valid_id
from tiktok_attribution.events.page_url import clean_address
from tiktok_attribution.events.sanitize import free_text, without_phones

pytestmark = [pytest.mark.hostile, pytest.mark.django_db]

PACKAGE = Path(tiktok_attribution.__file__).parent
# Made or used inside a function, where no name of a module can be watched: the reader that leads there.
IN_FUNCTIONS = {
    "events.sanitize:_without_token()": "TikTok's words",
    "events.sanitize:PhoneSearch._end()": "free text",
    "consent.cookie_rules:CookieRule.read()": "the longest consent cookie",
}


def test_no_reader_takes_longer_than_its_limit_of_processor_time() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile"],
        cwd=PACKAGE.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    begun = done.stdout.splitlines()
    assert begun[-1:] == ["all"], f"{begun[-1:]} took too long or failed ({done.returncode}): {done.stderr[-2000:]}"


@pytest.mark.parametrize("text", ["01 " + "1" * 120 + "x", "01 " + "1" * 300 + "x", "+" + "1." * 6400])
def test_digits_that_are_no_number_stay(text: str) -> None:
    assert without_phones(text) == (text, 0)


@pytest.mark.parametrize(
    ("address", "cleaned"),
    [("/01%20{}x", "/-"), ("/search/?q=01%20{}x", "/search/"), ("/?utm_term=01+{}x", "/?utm_term=01+{}x")],
)
def test_the_addresses_that_froze_a_worker_are_cleaned(address: str, cleaned: str) -> None:
    digits = "1" * 300
    assert clean_address("https://a.example" + address.format(digits), ["utm_*"]) == (
        "https://a.example" + cleaned.format(digits)
    )


def test_a_megabyte_of_text_is_cut_before_it_is_looked_through() -> None:
    notes: list[str] = []
    assert free_text("01 11 " * 170_000, "it", notes)[:1] in ("0", "-")
    assert "it was cut to 1000 characters" in notes
    assert len(valid_id("a@" * 500_000, "it", [])) <= 1000


def test_every_text_has_its_length() -> None:
    assert {len(of_length(name, LENGTH)) for name in PARTS} == {LENGTH}


class Watched:
    """A pattern that notes that it was asked."""

    def __init__(self, pattern: re.Pattern[str], name: str, asked: set[str]) -> None:
        self._pattern, self._name, self._asked = pattern, name, asked

    def __getattr__(self, method: str) -> Any:
        self._asked.add(self._name)
        return getattr(self._pattern, method)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The patterns that were asked while the readers ran."""
    found: set[str] = set()
    for pattern in set(patterns(PACKAGE)) - set(IN_FUNCTIONS):
        module, _, name = pattern.partition(":")
        where = import_module(f"tiktok_attribution.{module}")
        monkeypatch.setattr(where, name, Watched(getattr(where, name), pattern, found))
    for reader in READERS:
        run(reader, 3000)  # longer than any limit
    return found


def test_every_pattern_of_the_rooms_that_read_a_visitors_text_is_tried(asked: set[str]) -> None:
    assert set(READERS) >= set(IN_FUNCTIONS.values())
    missing = set(patterns(PACKAGE)) - asked - set(IN_FUNCTIONS)
    assert not missing, f"add to tests/hostile/readers.py what reads by {', '.join(sorted(missing))}"
    assert set(patterns(PACKAGE)) >= set(IN_FUNCTIONS)
