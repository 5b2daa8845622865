"""What the sanitisers of Python sites leave of a visitor's text holds nothing that tiktok.js obeys."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import bleach
import nh3
import pytest

from tests.browser.contents import GADGETS

TAGS = {"a", "b", "button", "form", "input", "p", "img"}


class _Read(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.obeyed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.obeyed += [tag] if tag in ("script", "meta", "base") else []
        self.obeyed += [name for name, _ in attrs if name.startswith("tiktok-")]


@pytest.mark.hostile
@pytest.mark.parametrize("kind", GADGETS)
@pytest.mark.parametrize(
    "clean",
    [nh3.clean, bleach.clean, lambda text: nh3.clean(text, tags=TAGS), lambda text: bleach.clean(text, tags=TAGS)],
    ids=["nh3", "bleach", "nh3 with more tags", "bleach with more tags"],
)
def test_nothing_that_is_obeyed_is_left(kind: str, clean: Callable[[str], str]) -> None:
    assert _Read(clean(GADGETS[kind])).obeyed == []


@pytest.mark.hostile
def test_the_reader_finds_what_is_obeyed() -> None:
    assert all(
        _Read(text).obeyed for kind, text in GADGETS.items() if "data attr" not in kind and "paragraph" not in kind
    )
