"""Browser halves that wait for the visitor's next page, and objects that may turn into one.

They lie in the session where the site has sessions, else in a signed cookie. A marker cookie says that there is
something, so that an ordinary page touches neither.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf
from tiktok_attribution.visitor.showing import Showing

MARKER = "tiktok_pending"
KEY = "tiktok_attribution"
LIFETIME_SECONDS = 3600
MOST_SHOWINGS = 20
MOST_COOKIE_BYTES = 3500  # browsers keep 4096 a cookie, its name and attributes included
IN_SESSION = "session"


class Pending:
    """What waits for this visitor: showings with their age, and watched objects ("shop.Order:42") with theirs."""

    def __init__(self, showings: list[Any] | None = None, watched: list[Any] | None = None) -> None:
        oldest = time.time() - LIFETIME_SECONDS
        self.showings = [entry for entry in showings or [] if entry[0] > oldest][-MOST_SHOWINGS:]
        self.watched = [entry for entry in watched or [] if entry[0] > oldest][-MOST_SHOWINGS:]

    def __bool__(self) -> bool:
        return bool(self.showings or self.watched)

    def add(self, showings: Sequence[Showing], watched: Sequence[str]) -> None:
        """Let these wait from now on."""
        now = int(time.time())
        self.showings += [[now, showing.as_json()] for showing in showings]
        self.watched += [[now, key] for key in watched]

    def take(self) -> list[Showing]:
        """The showings, which then wait no longer."""
        taken, self.showings = self.showings, []
        return [Showing.from_json(entry[1]) for entry in taken]

    def as_json(self) -> list[Any]:
        """For the session or the cookie."""
        return [self.showings, self.watched]


def is_marked(request: HttpRequest) -> bool:
    """Whether something may wait; looks at the raw header only, so that an ordinary page costs nothing."""
    return MARKER in request.META.get("HTTP_COOKIE", "") and MARKER in request.COOKIES


def load(request: HttpRequest) -> Pending:
    """What waits for this visitor."""
    if not is_marked(request):
        return Pending()
    marker = request.COOKIES[MARKER]
    session = getattr(request, "session", None)
    try:
        if marker == IN_SESSION:
            stored = session.get(KEY) if session is not None else None
        else:
            stored = signing.loads(marker, salt=KEY, max_age=LIFETIME_SECONDS)
        return Pending(*stored) if stored else Pending()
    except (signing.BadSignature, ValueError, TypeError, IndexError):
        return Pending()  # expired, or somebody's own making


def save(request: HttpRequest, response: HttpResponseBase, pending: Pending) -> None:
    """Keep what waits, or forget the marker when nothing does."""
    settings = conf.current()
    session = getattr(request, "session", None)
    if session is not None and (pending or KEY in session):
        if pending:
            session[KEY] = pending.as_json()
        else:
            session.pop(KEY, None)
    if not pending and not is_marked(request):
        return
    if not pending:
        response.delete_cookie(MARKER, domain=settings.cookie_domain or None, samesite="Lax")
        return
    value = IN_SESSION if session is not None else _signed(pending)
    response.set_cookie(
        MARKER,
        value,
        max_age=LIFETIME_SECONDS,
        domain=settings.cookie_domain or None,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def _signed(pending: Pending) -> str:
    """A signed cookie's value; the oldest showings go when it would grow too large."""
    while True:
        value = signing.dumps(json.loads(json.dumps(pending.as_json())), salt=KEY, compress=True)
        if len(value) <= MOST_COOKIE_BYTES or not pending.showings:
            return value
        pending.showings = pending.showings[1:]
