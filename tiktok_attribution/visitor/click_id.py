"""The click id: taken from the landing address, kept in a first-party cookie."""

from __future__ import annotations

from urllib.parse import parse_qs

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from tiktok_attribution.conf import Settings
from tiktok_attribution.events.text import EMAIL

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
    if not value.isascii() or not value.isprintable() or len(value) > MOST_CHARACTERS or EMAIL.search(value):
        return ""
    return value


def remember(response: HttpResponseBase, request: HttpRequest, click_id: str, settings: Settings) -> None:
    """Set the cookie; a new click wins over an old one. The response becomes one visitor's own."""
    response.set_cookie(
        COOKIE,
        click_id,
        max_age=settings.click_id_days * 86_400,
        domain=settings.cookie_domain or None,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    patch_cache_control(response, private=True)
