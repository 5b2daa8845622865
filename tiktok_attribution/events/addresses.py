"""Page addresses without what should not be in them: TikTok's data terms forbid personal data there too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

from tiktok_attribution.events.bearer import RESET_FORM, SHORTEST, is_bearer, is_reset_of
from tiktok_attribution.events.phones import PhoneSearch, has_few_digits
from tiktok_attribution.events.text import MARGIN, holds_email, well_formed

MAX_LENGTH = 2000
"""Ours, TikTok documents none. It asks for the address with its query, for ttclid and utm_* above all."""

Mask = Callable[[str], str]
"""A site's own: a decoded path in, the path to send out."""

# Looked at; nginx and gunicorn take 4 to 8 kB of an address. The segment or parameter that this cuts in two is
# dropped: its other half might have shown that it is an e-mail address.
MOST_READ = 4096
_MOST_KEPT = MAX_LENGTH + MARGIN  # of a path; what is behind could only come to stand before the limit
# A site's own pattern may take time that grows with the square of its text, or worse. Longer paths lose their end.
_MOST_MASKED = 1000

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"https?://[^/?#]{1,320}(?:[/?#]|\Z)", re.IGNORECASE)
_WORDS = re.compile(r"[a-z/._~-]*")
# Brackets are an IPv6 address's; of "[@]" only one remains when the user is cut off.
_UNFIT_FOR_HOST = re.compile(r"[\s\\<>\"'`{}|^%]|(?!\A)\[|\](?!:\d*\Z|\Z)|\A[^\[]*\]|\A\[[^\]]*\Z")
# Some servers read a semicolon as a separator: what stands behind one is a parameter of its own here.
_SEPARATOR = re.compile("[&;]")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_HEX = "0123456789ABCDEFabcdef"
_ONE_BYTE = {f"%{a}{b}": bytes.fromhex(a + b).decode("utf-8", "replace") for a in _HEX for b in _HEX}
_CUT_ESCAPE = re.compile(r"%[0-9A-Fa-f]?$")


def clean_address(url: object, allowed_parameters: Iterable[str], mask: Mask | None = None) -> str:
    """Scheme, host, path and the allowed query parameters ("ttclid", "utm_*"), as they were encoded; else "".

    Segments with personal data or a secret become "-", and what `mask` says. Never raises, unless `mask` does: an
    address that is no http(s) address is "", one that stays too long loses its query.
    """
    parts = split_address(url)
    if parts is None:
        return ""
    host = parts.netloc.rpartition("@")[2]
    if not host or _UNFIT_FOR_HOST.search(host):
        return ""
    phones, path = PhoneSearch(), parts.path
    if mask is not None:
        path = _masked(path, mask)
    bare = f"{parts.scheme}://{host}{_clean_path(path, phones)}"
    query = _allowed_query(parts.query, tuple(allowed_parameters), phones)
    whole = f"{bare}?{query}" if query else bare
    return whole if len(whole) <= MAX_LENGTH else _CUT_ESCAPE.sub("", bare[:MAX_LENGTH])


def decoded_path(url: object) -> str:
    """The path as the site that answers there reads it; "" for what is no web address."""
    parts = split_address(url)
    return decoded(parts.path) if parts else ""


def decoded(text: str) -> str:
    """Decode the escapes as `unquote` does, which takes ten times as long for a row of bare percent signs."""
    return _ESCAPES.sub(_decoded_run, text) if "%" in text else text


def split_address(url: object) -> SplitResult | None:
    """The parts of a web address, however long and odd what a visitor sent for one; None for what is none."""
    if not isinstance(url, str):
        return None
    if len(url) > MOST_READ:
        url = _beginning(url)
    if not url.isascii() or not url.isprintable():
        url = _CONTROL.sub("", well_formed(url))
    url = url.strip().replace(" ", "%20")
    if len(url) > MOST_READ:  # of blanks, each of which became three characters
        url = _beginning(url)
    # urlsplit() normalises a host that is not ASCII, which takes time with the square of its combining marks.
    if not url.isascii() and _HOST.match(url) is None:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- raises for a port that is none
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def _beginning(url: str) -> str:
    head = url.partition("#")[0].strip()
    if len(head) <= MOST_READ:
        return head
    head = head[:MOST_READ]
    return head[: max(map(head.rfind, "/?&;")) + 1]


def _masked(path: str, mask: Mask) -> str:
    """The path as `mask` leaves it, which reads it decoded, as the site's URL patterns do."""
    whole = decoded(path)
    read = whole if len(whole) <= _MOST_MASKED else whole[:_MOST_MASKED].rpartition("/")[0] + "/"
    masked = mask(read)
    return path if masked == whole else "/" + quote(masked.lstrip("/"), safe="/!$&'()*+,:;=@~")


def _clean_path(path: str, phones: PhoneSearch) -> str:
    is_coded = "%" in path or "@" in path or not has_few_digits(path)
    if not is_coded and (len(path) < SHORTEST or _WORDS.fullmatch(path)) and RESET_FORM not in path:
        return path  # as most are
    if len(path) > _MOST_KEPT and (end := path.rfind("/", 0, _MOST_KEPT)) > 0:
        path = path[: end + 1]
    segments = path.split("/")
    for index, segment in enumerate(segments):
        if not is_coded and len(segment) < SHORTEST and segment != RESET_FORM:
            continue
        text = _decoded_twice(segment) if "%" in segment else segment
        if index and is_reset_of(segments[index - 1], text):
            segments[index - 1] = "-"
        if "@" in text or is_bearer(text) or phones.cut(text)[1]:
            segments[index] = "-"
    return "/".join(segments)


def _allowed_query(query: str, allowed: tuple[str, ...], phones: PhoneSearch) -> str:
    """The parameters that may stay, "" for more than an address can hold, whatever is in them."""
    if not query:
        return ""
    names, prefixes = _names_and_prefixes(allowed)
    found, length = [], 0
    for part in _SEPARATOR.split(query):
        name, _, value = part.partition("=")
        if "%" in name or "+" in name:
            name = decoded(name.replace("+", " "))
        if part and (name in names or name.startswith(prefixes)):
            found.append((part, name, value))
            length += len(part) + 1
    if length > MAX_LENGTH:
        return ""
    return "&".join(part for part, name, value in found if _may_stay(name, value, phones))


def _may_stay(name: str, value: str, phones: PhoneSearch) -> bool:
    text = _decoded_twice(value.replace("+", " ")) if "%" in value or "+" in value else value
    if holds_email(text):
        return False
    # A click id is random, and may hold a row of digits; campaigns have random names too.
    if name == "ttclid":
        return True
    return not phones.cut(text)[1] and (name.startswith("utm_") or not is_bearer(text))


def _decoded_twice(text: str) -> str:
    return decoded(decoded(text))


def _decoded_run(found: re.Match[str]) -> str:
    run = found[0]
    return _ONE_BYTE.get(run) or bytes.fromhex(run.replace("%", "")).decode("utf-8", "replace")


@lru_cache(maxsize=8)
def _names_and_prefixes(allowed: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    return frozenset(allowed), tuple(name[:-1] for name in allowed if name.endswith("*"))
