"""What waits for the visitor's next page: events of the outbox, and objects that may still turn into one.

Where the site asks for consent it also names what an answer decides: what is held until there is one, and what a
withdrawal takes back.

It lies in a signed cookie, so it needs no session and outlives sign-in, sign-out and every kind of session storage.
The cookie names rows and holds nothing of what is in them; the names (pixel codes, event ids, keys of objects such as
"shop.Order:42") are signed and not encrypted, so who holds the cookie can read them. Where there is no cookie, nothing
is read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from itertools import count
from time import time
from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf
from tiktok_attribution.delivery.consent_hold import Key, Theirs
from tiktok_attribution.visitor import cookies

__all__ = ["Key", "Pending", "is_crowded", "is_marked", "load", "save", "save_beside"]

# The cookie is this host's alone, whatever COOKIE_DOMAIN says: with a Domain every sub-domain would get it, and a
# sub-domain could set one of its own choice. On https the prefix makes browsers hold to that: they take a __Host-
# cookie from no other host and by no plain connection. A shop whose thank-you page stands on another host shows the
# event there by {% tiktok_event order %}, or on the next page of the host that made it.
COOKIE = "tiktok_pending"
SECURE_PREFIX = "__Host-"
MARKER = "tiktok_waiting"  # says to a page out of a shared cache that it should ask; tiktok.js reads it
LIFETIME_SECONDS = 3600
MOST_ENTRIES = 30  # of each kind; the oldest go
MOST_ANSWERABLE = 60  # of those that an answer decides: about 2 kB of cookie
MOST_COOKIE_BYTES = 3500  # browsers keep 4096 a cookie, its name and attributes included

# Requests of a page's script run side by side (Promise.all), each with the same cookie, and the last answer's cookie
# wins. So what such a request adds goes into a cookie beside the first, `tiktok_pending_<number>`, and nobody reads and
# rewrites it; the next page takes all of them together. The numbers are few, for servers refuse a request whose cookies
# exceed some 8 kB. They follow each other, so two answers of one process never share one; of two processes one pair in
# 16 does, and then one pixel call is lost, its server event never. Where 8 come along, their content moves into the
# first cookie: every answer at that moment moves the same, so this loses nothing either.
MOST_BESIDE = 16
MANY_BESIDE = 8
MOST_BESIDE_BYTES = 320  # one event, waiting and undecided, takes about 200
_turn = count()


Entry = Key | str
"""A row, or an object ("shop.Order:42")."""


class Pending:
    """Events and watched objects ("shop.Order:42"), each with the moment (epoch seconds) since when it waits.

    `held` are rows and objects that wait for an answer; `agreed` those of one that agreed and may withdraw.
    """

    def __init__(
        self,
        events: Iterable[tuple[int, Key]] = (),
        watched: Iterable[tuple[int, str]] = (),
        awaiting: Iterable[tuple[int, Entry]] = (),
        agreed: Iterable[tuple[int, Entry]] = (),
    ) -> None:
        self._events = {key: since for since, key in events}
        self._watched = {key: since for since, key in watched}
        self._awaiting = {entry: since for since, entry in awaiting}
        self._agreed = {entry: since for since, entry in agreed}
        self.trim()

    def __bool__(self) -> bool:
        return bool(self._events or self._watched or self._awaiting or self._agreed)

    @property
    def events(self) -> list[Key]:
        return list(self._events)

    @property
    def watched(self) -> list[str]:
        return list(self._watched)

    @property
    def awaiting(self) -> Theirs:
        """What waits for this visitor's answer."""
        return _theirs(self._awaiting)

    @property
    def everything(self) -> Theirs:
        """All that is known to be this visitor's."""
        return _theirs([*self._events, *self._watched, *self._awaiting, *self._agreed])

    def note_answers(self, entries: Iterable[tuple[Any, bool]]) -> None:
        """Rows and objects that a later answer decides, each with whether it waits for one."""
        now = int(time())
        for entry, awaiting in entries:
            (self._awaiting if awaiting else self._agreed).setdefault(_entry(entry), now)
        self.trim()

    def agree(self) -> None:
        """What was held is released."""
        self._agreed.update(self._awaiting)
        self._awaiting = {}

    def clear(self) -> None:
        """Nothing waits any more, whatever it was."""
        for part in self._parts:
            part.clear()

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

    @property
    def _parts(self) -> tuple[dict[Any, int], ...]:
        return self._events, self._watched, self._awaiting, self._agreed

    @property
    def entries(self) -> frozenset[Entry]:
        """Every row and object in it, whatever it waits for."""
        return frozenset(entry for part in self._parts for entry in part)

    def merge(self, other: Pending) -> None:
        """Take in what waits in another cookie, with its age."""
        for own, theirs in zip(self._parts, other._parts, strict=True):
            for entry, since in theirs.items():
                own.setdefault(entry, since)
        self.trim()

    def split(self, known: Collection[Entry]) -> tuple[Pending, Pending]:
        """Apart: what is of these entries, and what is new."""
        old, new = Pending(), Pending()
        for own, kept, fresh in zip(self._parts, old._parts, new._parts, strict=True):
            for entry, since in own.items():
                (kept if entry in known else fresh)[entry] = since
        return old, new

    def trim(self) -> None:
        """Drop what has waited too long, and the oldest of too many."""
        oldest = time() - LIFETIME_SECONDS
        self._events = _youngest(self._events, oldest)
        self._watched = _youngest(self._watched, oldest)
        unanswered = time() - conf.current().awaiting_consent_hours * 3600
        self._awaiting = _youngest(self._awaiting, unanswered, MOST_ANSWERABLE)
        # Where nothing is held (AWAITING_CONSENT_HOURS: 0), what was agreed to can be withdrawn all the same.
        self._agreed = _youngest(self._agreed, time() - _longest(), MOST_ANSWERABLE)

    def as_entries(self) -> list[Any]:
        """Everything, as JSON takes it."""
        events = [[since, *key] for key, since in self._events.items()]
        found: list[Any] = [events, [[since, label] for label, since in self._watched.items()]]
        if self._awaiting or self._agreed:
            found += [[[since, entry] for entry, since in part.items()] for part in (self._awaiting, self._agreed)]
        return found

    @property
    def lifetime_seconds(self) -> int:
        """How long the cookie is needed."""
        return _longest() if self._awaiting or self._agreed else LIFETIME_SECONDS

    def as_text(self) -> str:
        """The cookie's value, signed. The oldest go where it would grow too large; "" when nothing waits."""
        while self:
            text = signing.dumps(self.as_entries(), salt=COOKIE, compress=True)
            if len(text) <= MOST_COOKIE_BYTES:
                return text
            longer: dict[Any, int] = max(self._agreed, self._events, self._watched, self._awaiting, key=len)
            del longer[next(iter(longer))]
        return ""

    def as_short_text(self) -> str:
        """As `as_text`, for a cookie beside the first; "" where it is too long for one."""
        text = self.as_text()
        return text if len(text) <= MOST_BESIDE_BYTES else ""

    @classmethod
    def from_text(cls, text: str) -> Pending:
        """The counterpart of `as_text`; empty for what has expired or is somebody's own making."""
        try:
            events, watched, *more = signing.loads(text, salt=COOKIE, max_age=_longest())
            awaiting, agreed = more or ((), ())
            return cls(
                [(since, Key(*key)) for since, *key in events],
                [(since, label) for since, label in watched],
                [(since, _entry(entry)) for since, entry in awaiting],
                [(since, _entry(entry)) for since, entry in agreed],
            )
        except (signing.BadSignature, ValueError, TypeError):
            return cls()


def _longest() -> int:
    """Seconds that any entry may wait. Each has an age of its own as well."""
    settings = conf.current()
    return max(LIFETIME_SECONDS, int(settings.awaiting_consent_hours * 3600)) if settings.asks else LIFETIME_SECONDS


def _entry(entry: Any) -> Entry:
    return entry if isinstance(entry, str) else Key(*entry)


def _theirs(entries: Iterable[Entry]) -> Theirs:
    entries = list(entries)
    objects = [entry.partition(":") for entry in entries if isinstance(entry, str)]
    return Theirs([entry for entry in entries if isinstance(entry, Key)], [(label, pk) for label, _, pk in objects])


def _youngest(entries: dict[Any, int], oldest: float, most: int = MOST_ENTRIES) -> dict[Any, int]:
    fresh = [(key, since) for key, since in entries.items() if since > oldest]
    return dict(fresh[-most:])


def is_marked(request: HttpRequest) -> bool:
    """Whether something may wait; looks at the raw header first, so that an ordinary page costs nothing."""
    return COOKIE in request.META.get("HTTP_COOKIE", "") and bool(_present(request))


def _present(request: HttpRequest) -> list[str]:
    """The names of our cookies that came along with something in them, the first one before those beside it."""
    name = cookie_name(request)
    return [
        one for one in (name, *(_beside(name, number) for number in range(MOST_BESIDE))) if request.COOKIES.get(one)
    ]


def _beside(name: str, number: int) -> str:
    return f"{name}_{number}"


def cookie_name(request: HttpRequest) -> str:
    """Under which name the cookie goes to and fro on this connection."""
    return f"{SECURE_PREFIX}{COOKIE}" if cookies.is_secure(request) else COOKIE


def load(request: HttpRequest) -> Pending:
    """What waits for this visitor."""
    found = Pending()
    if is_marked(request):
        for name in _present(request):
            found.merge(Pending.from_text(request.COOKIES[name]))
    return found


def is_crowded(request: HttpRequest) -> bool:
    """Whether so many cookies came along that it is time to make one of them."""
    return is_marked(request) and len(_present(request)) > MANY_BESIDE


def save(request: HttpRequest, response: HttpResponseBase, pending: Pending) -> None:
    """Keep what waits in the visitor's browser, in one cookie, or take it away when nothing does."""
    name = cookie_name(request)
    _keep(request, response, name, pending.as_text(), pending)
    for number in range(MOST_BESIDE):
        _keep(request, response, _beside(name, number), "", pending)
    is_asked_for = conf.current().page_script and bool(pending.events)
    _keep(request, response, MARKER, "1" if is_asked_for else "", pending)


def save_beside(request: HttpRequest, response: HttpResponseBase, fresh: Pending, text: str) -> None:
    """Keep what one response adds in a cookie of its own; after `save`, which takes such cookies away."""
    name, beside = cookie_name(request), ""
    for _ in range(MOST_BESIDE):
        beside = _beside(name, (next(_turn) + os.getpid()) % MOST_BESIDE)
        if not request.COOKIES.get(beside):
            break
    _keep(request, response, beside, text, fresh)
    if conf.current().page_script and fresh.events:
        _keep(request, response, MARKER, "1", fresh)


def _keep(request: HttpRequest, response: HttpResponseBase, name: str, value: str, pending: Pending) -> None:
    settings = conf.current()
    if value:
        lifetime, httponly = pending.lifetime_seconds, name != MARKER
        cookies.put(request, response, name, value, settings=settings, domain="", max_age=lifetime, httponly=httponly)
    elif name in request.COOKIES:
        cookies.remove(request, response, name, settings=settings, domain="")
