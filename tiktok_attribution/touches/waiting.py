"""Keep a landing in the visitor's browser until the visitor answers, where HOLD_CLICK_ID allows that.

It is a signed cookie that goes when the browser is closed, as the click id's. Nothing is stored on the server.
"""

from __future__ import annotations

from typing import NamedTuple

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution.conf import Settings
from tiktok_attribution.touches.landing import Landing, read_landing
from tiktok_attribution.visitor import cookies

# Decision: the name begins like that of the cookie for pending events. So the middleware, which looks for that name in
# the raw header of every request, sees this one too, and an ordinary page costs nothing more.
COOKIE = "tiktok_pending_landing"
MOST_QUERY = 1500  # characters; a longer address is not held
MOST_COOKIE = 4000


class Waiting(NamedTuple):
    """A landing that waited for its visitor's answer, with its own moment (epoch seconds)."""

    landing: Landing
    at: int
    query: str


def is_waiting(request: HttpRequest) -> bool:
    """Return whether this browser may hold a landing. Reads the raw header."""
    return COOKIE in request.META.get("HTTP_COOKIE", "")


def put(
    request: HttpRequest, response: HttpResponseBase, path: str, query: str, *, at: int, settings: Settings
) -> None:
    """Put the landing into the browser. A later one replaces it."""
    if len(query) > MOST_QUERY:
        return
    text = signing.dumps([at, path, query], salt=COOKIE, compress=True)
    if len(text) <= MOST_COOKIE:
        cookies.put(request, response, COOKIE, text, settings=settings, domain=settings.cookie_domain, max_age=None)
        cookies.make_private(response)


def take(request: HttpRequest, response: HttpResponseBase, *, settings: Settings) -> Waiting | None:
    """Take the landing out of the browser. None for a forged value, and for one that no window reaches any more."""
    text = request.COOKIES.get(COOKIE, "")
    if not text:
        return None
    remove(request, response, settings=settings)
    try:
        at, path, query = signing.loads(text, salt=COOKIE, max_age=settings.attribution.widest)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    attribution = settings.attribution
    landing = read_landing(
        query,
        path=path,
        is_from_elsewhere=True,  # checked when it was held
        parameters=attribution.parameters,
        other_channels=attribution.other_channels,
    )
    return None if landing.traffic is None else Waiting(landing, at, query)


def remove(request: HttpRequest, response: HttpResponseBase, *, settings: Settings) -> None:
    """Remove the cookie."""
    if request.COOKIES.pop(COOKIE, None) is not None:
        cookies.remove(request, response, COOKIE, settings=settings, domain=settings.cookie_domain)
        cookies.make_private(response)
