"""The pending cookie: names what waits for the visitor's next page.

It names outbox events, and objects that may still become a conversion. Where the site asks for consent, it also names
what an answer decides: events that await consent, and those that a withdrawal cancels. Without the cookie, nothing is
read from the database. The names (pixel codes, event ids, keys of objects such as "shop.Order:42") are signed but not
encrypted, so anyone who has the cookie can read them. The contents of the rows stay in the outbox.

Decision: a signed cookie and not the session, so pages need no session. It survives login, logout and every session
backend, holds no personal data and lasts an hour (`LIFETIME_SECONDS`), or as long as consent is awaited.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from functools import lru_cache
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

# The cookie belongs to this host alone, even if COOKIE_DOMAIN is set. With a Domain every sub-domain would get it, and
# a sub-domain could set a cookie of its own choice. On https the prefix makes browsers enforce this: they accept a
# __Host- cookie from no other host and over no plain connection. If a shop's thank-you page is on another host, that
# page shows the event with {% tiktok_event order %}. Otherwise the next page of the first host shows it.
COOKIE = "tiktok_pending"
SECURE_PREFIX = "__Host-"
MARKER = "tiktok_waiting"  # tells tiktok.js on a page from a shared cache to ask the server for events
LIFETIME_SECONDS = 3600
MOST_ENTRIES = 30  # of events, and of watched objects; the oldest are removed
MOST_ANSWERABLE = 60  # of entries that an answer decides: about 2 kB of cookie
MOST_COOKIE_BYTES = 3500  # browsers keep 4096 bytes of a cookie, including its name and attributes

# A page's script can send several requests at once (Promise.all). Each sends the same cookie, and the cookie of the
# last response wins. So such a request puts what it adds into a cookie of its own, `tiktok_pending_<number>`, which no
# other request reads and rewrites. The next page merges all of them. The numbers are few, because servers refuse
# requests with more than about 8 kB of cookies. They follow each other, so two responses of one process never use the
# same number. With two processes one pair in 16 does: then one pixel call is lost, but never its server event. If 8
# such cookies come in, their content moves into the first cookie. Every response at that moment moves the same content,
# so this loses nothing.
MOST_BESIDE = 16
MANY_BESIDE = 8
MOST_BESIDE_BYTES = 320  # one event that waits for a page and for consent takes about 200
_turn = count()
_PRESENT = "_tiktok_pending_names"  # attribute of a request: which of these cookies it has


Entry = Key | str
"""An outbox row, or an object ("shop.Order:42")."""


class Pending:
    """Events and watched objects ("shop.Order:42"), each with the time since when it waits (epoch seconds).

    `awaiting` are rows and objects that wait for consent. `agreed` are those whose visitor agreed and may withdraw.
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
        """Rows and objects that wait for this visitor's answer."""
        return _theirs(self._awaiting)

    @property
    def has_awaiting(self) -> bool:
        """True if anything waits for this visitor's answer."""
        return bool(self._awaiting)

    @property
    def everything(self) -> Theirs:
        """All rows and objects that are known to be this visitor's."""
        return _theirs([*self._events, *self._watched, *self._awaiting, *self._agreed])

    def note_answers(self, entries: Iterable[tuple[Any, bool]]) -> None:
        """Note rows and objects that a later answer decides, each with whether it waits for one.

        Decision: this cookie links events that await consent to their visitor, so no new identifier is needed. If the
        cookie is lost, no answer can reach the events, and they are suppressed in time.
        """
        now = int(time())
        for entry, awaiting in entries:
            (self._awaiting if awaiting else self._agreed).setdefault(_entry(entry), now)
        self.trim()

    def agree(self) -> None:
        """Note that the visitor agreed to what waited for consent."""
        self._agreed.update(self._awaiting)
        self._awaiting = {}

    def clear(self) -> None:
        """Remove all entries."""
        for part in self._parts:
            part.clear()

    def add(self, events: Iterable[Key], watched: Iterable[str] = ()) -> None:
        """Add entries that wait from now on. An entry that already waits keeps its time."""
        now = int(time())
        for key in events:
            self._events.setdefault(key, now)
        for label in watched:
            self._watched.setdefault(label, now)
        self.trim()

    def forget(self, events: Iterable[Key]) -> None:
        """Remove these events."""
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
        """Add the entries of another cookie, with their times."""
        for own, theirs in zip(self._parts, other._parts, strict=True):
            for entry, since in theirs.items():
                own.setdefault(entry, since)
        self.trim()

    def split(self, known: Collection[Entry]) -> tuple[Pending, Pending]:
        """Return two parts: the entries that are in `known`, and the new ones."""
        old, new = Pending(), Pending()
        for own, kept, fresh in zip(self._parts, old._parts, new._parts, strict=True):
            for entry, since in own.items():
                (kept if entry in known else fresh)[entry] = since
        return old, new

    def trim(self) -> None:
        """Remove entries that have waited too long, and the oldest if there are too many."""
        now = time()
        if self._events:
            self._events = _youngest(self._events, now - LIFETIME_SECONDS)
        if self._watched:
            self._watched = _youngest(self._watched, now - LIFETIME_SECONDS)
        if self._awaiting:
            unanswered = now - conf.current().awaiting_consent_hours * 3600
            self._awaiting = _youngest(self._awaiting, unanswered, MOST_ANSWERABLE)
        # With AWAITING_CONSENT_HOURS: 0 no event awaits consent, but a visitor can still withdraw.
        if self._agreed:
            self._agreed = _youngest(self._agreed, now - _longest(), MOST_ANSWERABLE)

    def as_entries(self) -> list[Any]:
        """Return all entries as lists that JSON can hold."""
        events = [[since, *key] for key, since in self._events.items()]
        found: list[Any] = [events, [[since, label] for label, since in self._watched.items()]]
        if self._awaiting or self._agreed:
            found += [[[since, entry] for entry, since in part.items()] for part in (self._awaiting, self._agreed)]
        return found

    @property
    def lifetime_seconds(self) -> int:
        """How long the browser has to keep the cookie."""
        return _longest() if self._awaiting or self._agreed else LIFETIME_SECONDS

    def as_text(self) -> str:
        """Return the signed value of the cookie, "" if nothing waits. Removes the oldest entries if it is too long."""
        while self:
            text = signing.dumps(self.as_entries(), salt=COOKIE, compress=True)
            if len(text) <= MOST_COOKIE_BYTES:
                return text
            longer: dict[Any, int] = max(self._agreed, self._events, self._watched, self._awaiting, key=len)
            del longer[next(iter(longer))]
        return ""

    def as_short_text(self) -> str:
        """Return `as_text` for a cookie beside the first one; "" if it is too long for that."""
        text = self.as_text()
        return text if len(text) <= MOST_BESIDE_BYTES else ""

    @classmethod
    def from_text(cls, text: str) -> Pending:
        """Read a value that `as_text` made. Returns an empty object for an expired or forged value."""
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
    """Return the longest time in seconds that an entry may wait. Each entry is also checked by its own time."""
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
    """Return whether anything may wait. Reads the raw header first, so an ordinary page costs almost nothing."""
    return COOKIE in request.META.get("HTTP_COOKIE", "") and bool(_present(request))


def _present(request: HttpRequest) -> list[str]:
    """Return the names of our non-empty cookies in the request: the first cookie, then those beside it."""
    found: list[str] | None = request.__dict__.get(_PRESENT)
    if found is None:
        sent = request.COOKIES
        found = request.__dict__[_PRESENT] = [name for name in _names(cookie_name(request)) if sent.get(name)]
    return found


@lru_cache
def _names(first: str) -> tuple[str, ...]:
    """Return the name of the first cookie, and of those beside it."""
    return first, *(f"{first}_{number}" for number in range(MOST_BESIDE))


def cookie_name(request: HttpRequest) -> str:
    """Return the name of the cookie on this connection, which depends on https."""
    return f"{SECURE_PREFIX}{COOKIE}" if cookies.is_secure(request) else COOKIE


def load(request: HttpRequest) -> Pending:
    """Read what waits for this visitor from all its cookies."""
    if COOKIE not in request.META.get("HTTP_COOKIE", ""):
        return Pending()
    read = [Pending.from_text(request.COOKIES[name]) for name in _present(request)]
    found = read[0] if read else Pending()
    for other in read[1:]:
        found.merge(other)
    return found


def is_crowded(request: HttpRequest) -> bool:
    """Return whether the request has so many cookies of ours that they should be merged into one."""
    return request.META.get("HTTP_COOKIE", "").count(COOKIE) > MANY_BESIDE and len(_present(request)) > MANY_BESIDE


def save(request: HttpRequest, response: HttpResponseBase, pending: Pending) -> None:
    """Store what waits in one cookie of the visitor's browser; delete the cookies if nothing waits."""
    first, *beside = _names(cookie_name(request))
    _keep(request, response, first, pending.as_text(), pending)
    for name in beside:
        if name in request.COOKIES:
            _keep(request, response, name, "", pending)
    is_asked_for = conf.current().page_script and bool(pending.events)
    _keep(request, response, MARKER, "1" if is_asked_for else "", pending)


def save_beside(request: HttpRequest, response: HttpResponseBase, fresh: Pending, text: str) -> None:
    """Store what one response adds in a cookie of its own. Call `save` first, since it deletes such cookies."""
    names, beside = _names(cookie_name(request))[1:], ""
    for _ in names:
        beside = names[(next(_turn) + os.getpid()) % MOST_BESIDE]
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
