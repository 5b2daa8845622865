"""The click id: taken from the landing address, kept in a first-party cookie (`click_id_cookie`)."""

from __future__ import annotations

from urllib.parse import parse_qs

from tiktok_attribution.events.text import holds_email

COOKIE = "ttclid"  # the name that TikTok's own tag templates use, so that both read one cookie
PARAMETER = "ttclid"
MOST_CHARACTERS = 1000  # opaque and of no documented length; 501 was seen


def from_query(query: str) -> str:
    """The click id of a raw query string, "" when there is none. A repeated parameter: the last one wins."""
    if PARAMETER + "=" not in query:
        return ""
    try:
        found = parse_qs(query, max_num_fields=100).get(PARAMETER, [""])
    except ValueError:
        return ""
    return clean(found[-1])


def clean(value: str) -> str:
    """A usable click id, else "". Its form is TikTok's affair; refused is what no header could carry, and an e-mail."""
    value = value.strip()
    if not value.isascii() or not value.isprintable() or len(value) > MOST_CHARACTERS or holds_email(value):
        return ""
    return value
