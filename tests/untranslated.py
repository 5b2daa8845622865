"""A language of marks: every translated text stands in ⟦…⟧, so what stands outside of them was never translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

import pytest
from django.utils import translation

LEFT, RIGHT = "⟦", "⟧"
WORD = re.compile(r"[^\W\d_]{2,}")
NAMES = ("TikTok", "HTTP", "JSON", "CSV")
"""The same in every language."""
CODE = {"script", "style", "pre", "code"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
READ_OUT = {"title", "alt", "placeholder", "label", "aria-label", "aria-description", "aria-roledescription"}
BUTTONS = {"submit", "button", "reset"}


@contextmanager
def marked() -> Iterator[None]:
    """Every translation of Django's, lazy ones and those of templates too, is the English text in marks."""

    def mark(text: str) -> str:
        return f"{LEFT}{text}{RIGHT}" if text else ""

    def of_number(one: str, many: str, number: float) -> str:
        return mark(one if number == 1 else many)

    chosen = translation._trans  # what Django's own functions ask, whatever they were imported as
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen, "gettext", lambda text: mark(str(text)))
        patch.setattr(chosen, "pgettext", lambda context, text: mark(str(text)))
        patch.setattr(chosen, "ngettext", of_number)
        patch.setattr(chosen, "npgettext", lambda context, *arguments: of_number(*arguments))
        yield


class _Reader(HTMLParser):
    """Gathers the pieces that people read or hear, with how deep in marks each begins."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.depth = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        heard = [value for name, value in values.items() if name in READ_OUT]
        if tag == "input" and values.get("type") in BUTTONS:
            heard.append(values.get("value", ""))
        self.outside += [outside(value, self.depth)[0] for value in heard]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not CODE.intersection(self.open):
            found, self.depth = outside(data, self.depth)
            self.outside.append(found)


def outside(text: str, depth: int = 0) -> tuple[str, int]:
    """What of the text stands outside of marks, and how deep in them it ends."""
    kept = []
    for sign in text:
        depth += (sign == LEFT) - (sign == RIGHT)
        if depth == 0:
            kept.append("\n" if sign == RIGHT else sign)
    return "".join(kept), depth


def untranslated(html: str, data: Iterable[str] = ()) -> list[str]:
    """Lines with words of a page that no translator got to see; `data` are texts of the database, to be left out."""
    reader = _Reader()
    reader.feed(html.replace("<wbr>", ""))  # a word may be broken there, and is one all the same
    reader.close()
    assert reader.depth == 0, "a translated text was cut off"
    return words_of(reader.outside, data)


def words_of(texts: Iterable[str], data: Iterable[str] = ()) -> list[str]:
    """Lines of these texts that hold a word besides names and data."""
    known = re.compile("|".join(map(re.escape, sorted({*NAMES, *filter(None, data)}, key=len, reverse=True))))
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return sorted({line for line in lines if WORD.search(known.sub("", line))})
