"""Clean page addresses before they are stored or sent: TikTok's data terms forbid personal data there too.

`clean_address` keeps scheme, host, path and allowed query parameters. It also cuts secrets that open something to
anyone who knows them: a magic link, an order's secret address, a signature. People who read reports or rows must not
get in by them. Slugs, numbers and UUIDs stay, because reports must tell one product's page from another's. A site names
more of its paths in MASKED_PATHS.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit

from tiktok_attribution.events.sanitize import MARGIN, PhoneSearch, has_few_digits, holds_email, well_formed

SHORTEST = 28
"""Characters from which a segment is checked: a colon and the shortest signature (SHA-1, 27 characters)."""
_SHORTEST_RANDOM = 32

# The value and its signature, as django.core.signing writes them: sessions, links in e-mails, invitations.
_SIGNED = re.compile(r":(?=[A-Z0-9_-]*[a-z])(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{27,}\Z")
_JSON_WEB_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+")
_RESET_TOKEN = re.compile(r"[0-9a-z]{1,13}-[0-9a-f]{32}")
RESET_FORM = "set-password"  # Django redirects here from the token's address, and keeps the token in the session
_KEY = re.compile(r"[0-9A-Za-z-]{1,64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Words have few digits amid letters and few capitals after small letters ("256GB", "iPhone"). In the titles of shops
# that were tried, fewer than 20 of 100 pairs of neighbours are such. In random text, 45 are. Measured with 20,000
# tokens each: 0.15 % of secrets.token_urlsafe(24) and 0.02 % of (32) are taken for words, none of token_hex(16).
_ONE_RUN = re.compile(r"[A-Za-z0-9]{32,}")
_PAIR = re.compile(r"(?=[A-Za-z0-9]{2})")
_ODD_PAIR = re.compile(r"(?=[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z][0-9])")
_CAPITAL_INSIDE = re.compile(r"[a-z][A-Z]")
_CAPITALS = re.compile(r"[A-Z]{2}")
_DIGIT = re.compile(r"[0-9]")
_RANDOM_SHARE = 0.2


def is_bearer(segment: str) -> bool:
    """Return whether a segment of a path, or a parameter's value, looks like a secret. It is passed decoded."""
    if len(segment) < SHORTEST:
        return False
    if (":" in segment and _SIGNED.search(segment)) or ("eyJ" in segment and _JSON_WEB_TOKEN.search(segment)):
        return True
    return _is_random(segment)


def is_reset_of(user: str, segment: str) -> bool:
    """Return whether a segment belongs to Django's password reset. The segment before it is the user's coded key."""
    if segment != RESET_FORM and not _RESET_TOKEN.fullmatch(segment):
        return False
    try:
        return _KEY.fullmatch(base64.urlsafe_b64decode(f"{user}==").decode("ascii")) is not None
    except ValueError:
        return False


def _is_random(text: str) -> bool:
    if _ONE_RUN.search(text) and any(map(_is_random_run, _ONE_RUN.findall(text))):
        return True
    if not _CAPITAL_INSIDE.search(text) or not _DIGIT.search(text):
        return False
    text = _UUID.sub("", text)
    return len(text) >= _SHORTEST_RANDOM and len(_ODD_PAIR.findall(text)) >= _RANDOM_SHARE * len(_PAIR.findall(text))


def _is_random_run(run: str) -> bool:
    """Return whether a long run of letters and digits is random. Letters alone are a compound word, or CamelCase."""
    return bool(_DIGIT.search(run) or (_CAPITALS.search(run) and _CAPITAL_INSIDE.search(run)))


MAX_LENGTH = 2000
"""Our limit; TikTok documents none. It asks for the address with its query, above all for ttclid and utm_*."""

Mask = Callable[[str], str]
"""A site's own function: gets a decoded path, returns the path to send."""

# Characters that are read; nginx and gunicorn take 4 to 8 kB of an address. A segment or parameter that this cuts in
# two is left out: its other part might have shown that it is an e-mail address.
MOST_READ = 4096
_MOST_KEPT = MAX_LENGTH + MARGIN  # of a path; text behind it can only move before the limit if much is cut
# A site's own pattern may take time that grows with the square of its text, or worse. Longer paths lose their end.
_MOST_MASKED = 1000

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"https?://[^/?#]{1,320}(?:[/?#]|\Z)", re.IGNORECASE)
_WORDS = re.compile(r"[a-z/._~-]*")
# Brackets belong to an IPv6 address. Of "[@]" only one bracket remains when the user is cut off.
_UNFIT_FOR_HOST = re.compile(r"[\s\\<>\"'`{}|^%]|(?!\A)\[|\](?!:\d*\Z|\Z)|\A[^\[]*\]|\A\[[^\]]*\Z")
# Some servers read a semicolon as a separator. So what follows one is a parameter of its own here.
_SEPARATOR = re.compile("[&;]")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_HEX = "0123456789ABCDEFabcdef"
_ONE_BYTE = {f"%{a}{b}": bytes.fromhex(a + b).decode("utf-8", "replace") for a in _HEX for b in _HEX}
_CUT_ESCAPE = re.compile(r"%[0-9A-Fa-f]?$")


def clean_address(url: object, allowed_parameters: Iterable[str], mask: Mask | None = None) -> str:
    """Clean an address: keep scheme, host, path and the allowed query parameters ("ttclid", "utm_*"), as encoded.

    Segments with personal data or a secret become "-". `mask` changes the path first. "" for what is no http(s)
    address. A result that is too long loses its query. Never raises, unless `mask` does.
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
    """Return the path as the site that answers there reads it; "" for what is no web address."""
    parts = split_address(url)
    return decoded(parts.path) if parts else ""


def decoded(text: str) -> str:
    """Decode percent escapes as `unquote` does, which takes ten times as long for many bare percent signs."""
    return _ESCAPES.sub(_decoded_run, text) if "%" in text else text


def split_address(url: object) -> SplitResult | None:
    """Split a web address, however long or odd. None if it is no web address."""
    if not isinstance(url, str):
        return None
    if len(url) > MOST_READ:
        url = _beginning(url)
    if not url.isascii() or not url.isprintable():
        url = _CONTROL.sub("", well_formed(url))
    url = url.strip().replace(" ", "%20")
    if len(url) > MOST_READ:  # it held blanks, each of which became three characters
        url = _beginning(url)
    # urlsplit() normalises a host that is not ASCII. That takes time with the square of its combining marks.
    if not url.isascii() and _HOST.match(url) is None:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- raises for an invalid port
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
    """Return the path that `mask` makes. It gets the path decoded, as the site's URL patterns do."""
    whole = decoded(path)
    read = whole if len(whole) <= _MOST_MASKED else whole[:_MOST_MASKED].rpartition("/")[0] + "/"
    masked = mask(read)
    return path if masked == whole else "/" + quote(masked.lstrip("/"), safe="/!$&'()*+,:;=@~")


def _clean_path(path: str, phones: PhoneSearch) -> str:
    is_coded = "%" in path or "@" in path or not has_few_digits(path)
    if not is_coded and (len(path) < SHORTEST or _WORDS.fullmatch(path)) and RESET_FORM not in path:
        return path  # as most paths are
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
    """Return the parameters that may stay. "" if they are more than an address can hold, whatever is in them."""
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
    # A click id is random, and may hold a long run of digits. Campaigns have random names too.
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
