"""Page addresses without what should not be in them: TikTok's data terms forbid personal data there too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

from .phones import has_few_digits, without_phones
from .text import holds_email, well_formed

MAX_LENGTH = 2000
"""Ours, TikTok documents none. It asks for the address with its query, for ttclid and utm_* above all."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNFIT_FOR_HOST = re.compile(r"[\s\\<>\"'`{}|^%]")
# Some servers read a semicolon as a separator: what stands behind one is a parameter of its own here.
_SEPARATOR = re.compile("[&;]")
_CUT_ESCAPE = re.compile(r"%[0-9A-Fa-f]?$")


def clean_address(url: object, allowed_parameters: Iterable[str]) -> str:
    """Scheme, host, path and the allowed query parameters ("ttclid", "utm_*"), as they were encoded; else "".

    Never raises: an address that is no http(s) address is "", one that stays too long loses its query.
    """
    if not isinstance(url, str):
        return ""
    parts = _split(_CONTROL.sub("", well_formed(url)).strip().replace(" ", "%20"))
    if parts is None:
        return ""
    host = parts.netloc.rpartition("@")[2]
    if not host or _UNFIT_FOR_HOST.search(host):
        return ""
    bare = f"{parts.scheme}://{host}{_clean_path(parts.path)}"
    query = _allowed_query(parts.query, tuple(allowed_parameters))
    whole = f"{bare}?{query}" if query else bare
    return whole if len(whole) <= MAX_LENGTH else _CUT_ESCAPE.sub("", bare[:MAX_LENGTH])


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- raises for a port that is none
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def _clean_path(path: str) -> str:
    if "%" not in path and "@" not in path and has_few_digits(path):
        return path
    return "/".join(map(_without_address, path.split("/")))


def _without_address(segment: str) -> str:
    """A path segment, or "-" for one with an at sign or a phone number, even an encoded or twice encoded one."""
    text = unquote(unquote(segment))
    return "-" if "@" in text or without_phones(text)[1] else segment


def _allowed_query(query: str, allowed: tuple[str, ...]) -> str:
    if not query:
        return ""
    names, prefixes = _names_and_prefixes(allowed)
    kept = []
    for part in _SEPARATOR.split(query):
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        if not part or not (name in names or name.startswith(prefixes)):
            continue
        text = unquote(unquote_plus(value))
        # A click id is random, and may hold a row of digits.
        if not holds_email(text) and (name == "ttclid" or not without_phones(text)[1]):
            kept.append(part)
    return "&".join(kept)


@lru_cache(maxsize=8)
def _names_and_prefixes(allowed: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    return frozenset(allowed), tuple(name[:-1] for name in allowed if name.endswith("*"))
