"""The click id: taken from the landing address, kept in a first-party cookie (`click_id_cookie`)."""

from __future__ import annotations

from tiktok_attribution.events.addresses import decoded
from tiktok_attribution.events.text import holds_email

COOKIE = "ttclid"  # the name that TikTok's own tag templates use, so that both read one cookie
PARAMETER = "ttclid"
MOST_CHARACTERS = 1000  # opaque and of no documented length; 501 was seen
MOST_ENCODED = 3 * MOST_CHARACTERS
MOST_PARAMETERS = 100
_BEGINNING = f"{PARAMETER}="


def from_query(query: str) -> str:
    """The click id of a raw query string, "" when there is none. A repeated parameter: the last one wins."""
    if _BEGINNING not in query or query.count("&") >= MOST_PARAMETERS:
        return ""
    values = [part.removeprefix(_BEGINNING) for part in query.split("&") if part.startswith(_BEGINNING)]
    value = next(filter(None, reversed(values)), "")
    return clean(decoded(value.replace("+", " "))) if len(value) <= MOST_ENCODED else ""


def clean(value: str) -> str:
    """A usable click id, else "". Its form is TikTok's affair; refused is what no header could carry, and an e-mail."""
    value = value.strip()
    if len(value) > MOST_CHARACTERS or not value.isascii() or not value.isprintable() or holds_email(value):
        return ""
    return value
