"""What waits for the visitor's next page: events of the outbox, and objects that may still turn into one.

It lies in a signed cookie, so it needs no session and outlives sign-in, sign-out and every kind of session storage.
The cookie names rows and holds nothing of what is in them. Where there is no cookie, nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import time
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf

COOKIE = "tiktok_pending"
MARKER = "tiktok_waiting"  # says to a page out of a shared cache that it should ask; tiktok.js reads it
LIFETIME_SECONDS = 3600
MOST_ENTRIES = 30  # of each kind; the oldest go
MOST_COOKIE_BYTES = 3500  # browsers keep 4096 a cookie, its name and attributes included


class Key(NamedTuple):
    """Names one row of the outbox, as its unique constraint does."""

    pixel_code: str
    name: str
    event_id: str


class Pending:
    """Events and watched objects ("shop.Order:42"), each with the moment (epoch seconds) since when it waits."""

    def __init__(self, events: Iterable[tuple[int, Key]] = (), watched: Iterable[tuple[int, str]] = ()) -> None:
        self._events = {key: since for since, key in events}
        self._watched = {key: since for since, key in watched}
        self.trim()

    def __bool__(self) -> bool:
        return bool(self._events or self._watched)

    @property
    def events(self) -> list[Key]:
        return list(self._events)

    @property
    def watched(self) -> list[str]:
        return list(self._watched)

    def add(self, events: Iterable[Key], watched: Iterable[str] = ()) -> None:
        """Let these wait from now on; what waits already keeps its age."""
        now = int(time())
        for key in events:
            self._events.setdefault(key, now)
        for label in watched:
            self._watched.setdefault(label, now)
        self.trim()

    def forget(self, events: Iterable[Key]) -> None:
        """These wait no longer."""
        for key in events:
            self._events.pop(key, None)

    def trim(self) -> None:
        """Drop what has waited too long, and the oldest of too many."""
        oldest = time() - LIFETIME_SECONDS
        self._events = _youngest(self._events, oldest)
        self._watched = _youngest(self._watched, oldest)

    def as_entries(self) -> list[Any]:
        """Everything, as JSON takes it."""
        events = [[since, *key] for key, since in self._events.items()]
        return [events, [[since, label] for label, since in self._watched.items()]]

    def as_text(self) -> str:
        """The cookie's value, signed. The oldest go where it would grow too large; "" when nothing waits."""
        while self:
            text = signing.dumps(self.as_entries(), salt=COOKIE, compress=True)
            if len(text) <= MOST_COOKIE_BYTES:
                return text
            longer: dict[Any, int] = max(self._events, self._watched, key=len)
            del longer[next(iter(longer))]
        return ""

    @classmethod
    def from_text(cls, text: str) -> Pending:
        """The counterpart of `as_text`; empty for what has expired or is somebody's own making."""
        try:
            events, watched = signing.loads(text, salt=COOKIE, max_age=LIFETIME_SECONDS)
            return cls(
                [(since, Key(*key)) for since, *key in events],
                [(since, label) for since, label in watched],
            )
        except (signing.BadSignature, ValueError, TypeError):
            return cls()


def _youngest(entries: dict[Any, int], oldest: float) -> dict[Any, int]:
    fresh = [(key, since) for key, since in entries.items() if since > oldest]
    return dict(fresh[-MOST_ENTRIES:])


def is_marked(request: HttpRequest) -> bool:
    """Whether something may wait; looks at the raw header first, so that an ordinary page costs nothing."""
    return COOKIE in request.META.get("HTTP_COOKIE", "") and bool(request.COOKIES.get(COOKIE))


def load(request: HttpRequest) -> Pending:
    """What waits for this visitor."""
    return Pending.from_text(request.COOKIES[COOKIE]) if is_marked(request) else Pending()


def save(request: HttpRequest, response: HttpResponseBase, pending: Pending) -> None:
    """Keep what waits in the visitor's browser, or take the cookie away when nothing does."""
    domain = conf.current().cookie_domain or None
    is_secure = request.is_secure() or django_settings.SESSION_COOKIE_SECURE

    def keep(name: str, value: str, *, httponly: bool) -> None:
        if value:
            lifetime = LIFETIME_SECONDS
            response.set_cookie(name, value, lifetime, None, "/", domain, is_secure, httponly, "Lax")
        elif name in request.COOKIES:
            response.delete_cookie(name, domain=domain, samesite="Lax")

    keep(COOKIE, pending.as_text(), httponly=True)
    is_asked_for = conf.current().page_script and bool(pending.events)
    keep(MARKER, "1" if is_asked_for else "", httponly=False)
