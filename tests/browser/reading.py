"""Reads the inline scripts of a page back: the calls on `ttq` with their arguments, as strict JSON."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any, NamedTuple

from django.http import HttpResponse

_CALL = re.compile(r'ttq(?:\.instance\("(\w+)"\))?\.(track|identify)\(')
_PIXELS = re.compile(r'\(window, document, "ttq", (\[.*?\]),')


class Call(NamedTuple):
    """One call: `ttq.instance(pixel).method(*arguments)`, pixel "" for all."""

    pixel: str
    method: str
    arguments: list[Any]

    @property
    def event_id(self) -> str:
        return self.arguments[2].get("event_id", "")  # type: ignore[no-any-return]


class _Scripts(HTMLParser):
    """What a browser would take for scripts; for one, and for text that broke out of one."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.others: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append("")
            self.attributes.append(dict(attrs))
            self._inside = True
        else:
            self.others.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data
        else:
            self.others.append(data)


def parsed(page: str) -> _Scripts:
    parser = _Scripts()
    parser.feed(page)
    parser.close()
    return parser


def calls(page: HttpResponse | str) -> list[Call]:
    """Every `track` and `identify` of the page, in its order; fails where arguments are not JSON."""
    text = "".join(parsed(_text(page)).scripts)
    return [Call(found[1] or "", found[2], _arguments(text, found.end())) for found in _CALL.finditer(text)]


def tracked(page: HttpResponse | str) -> list[str]:
    """Names of the events that the page tracks."""
    return [call.arguments[0] for call in calls(page) if call.method == "track"]


def loaded(page: HttpResponse | str) -> list[str]:
    """Pixels whose base code is in the page, as often as it is."""
    return [code for found in _PIXELS.findall(_text(page)) for code in json.loads(found)]


def _text(page: HttpResponse | str) -> str:
    return page if isinstance(page, str) else page.content.decode()


def _arguments(text: str, start: int) -> list[Any]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    found = []
    while True:
        value, start = decoder.raw_decode(text, start)
        found.append(value)
        if text[start] == ")":
            return found
        assert text[start] == ",", text[start - 20 : start + 20]
        start += 1


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
