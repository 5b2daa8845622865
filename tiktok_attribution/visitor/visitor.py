"""The visitor of a request: their signals, their answer, and what their pages are to show.

`Visitor` reads each value only when it is asked for, so an ordinary page costs nothing. `Requester` adds who sends the
request, and so which of the signals count. `current_request` holds the request for code that gets none, such as a
model's signal. `PixelCall` is one call for a page. `Commitment` tells whether what a transaction wrote still counts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost, SynchronousOnlyOperation
from django.db import connections
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Decision, Reason
from tiktok_attribution.events import BrowserCall, Page, User
from tiktok_attribution.events.page_url import MOST_READ, decoded_path
from tiktok_attribution.events.types import NO_USER
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.visitor import matching
from tiktok_attribution.visitor.caller import Caller, account_of, caller_of
from tiktok_attribution.visitor.matching import identified
from tiktok_attribution.visitor.page import is_of_script, page_address, page_of_script
from tiktok_attribution.visitor.permission import (
    circumstance_of,
    decide,
    is_private,
    path_of,
    refusal_of,
    will_of,
)
from tiktok_attribution.visitor.request_data import client_address, locale, user_agent

logger = logging.getLogger("tiktok_attribution")

current_request: ContextVar[HttpRequest | None] = ContextVar("tiktok_attribution_request", default=None)


def current_requester() -> Requester | None:
    """Return who sends the request that is being answered; None in a task or a command."""
    request = current_request.get()
    return None if request is None else requester_of(request)


def made_under(label: str, pk: object) -> Reason | None:
    """Return the circumstance in which the current request made this object, None if there was none."""
    request = current_request.get()
    visitor = None if request is None else request.__dict__.get(ATTRIBUTE)
    return visitor.made_under.get((label, object_key(pk))) if visitor is not None and visitor.made_under else None


@dataclass(slots=True, kw_only=True)
class PixelCall:
    """One `ttq.track` call: for which pixels, and with which matching keys.

    `stored` holds the user of an event that was read from the outbox. It is None if the current request made the event.
    """

    call: BrowserCall
    pixel_codes: tuple[str, ...]
    identify: dict[str, str]
    stored: User | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """An event of a prefetched page. It happens when its visitor gets to see the page, or never."""

    name: str
    event_id: str
    properties: Mapping[str, Any]
    pixel_codes: tuple[str, ...]


def identify_keys(user: User) -> dict[str, str]:
    """Return the arguments of `ttq.identify`: one value of each key, named as in TikTok's own tag template."""
    keys = {
        "sha256_email": user.email[:1],
        "sha256_phone_number": user.phone[:1],
        "external_id": user.external_id[:1],
    }
    return {key: values[0] for key, values in keys.items() if values}


def user_of_text(payload: str) -> User:
    """Read the user of a stored event: hashed lists for `identify_keys`, and signals to recognise the visitor by."""
    sent = json.loads(payload).get("user", {})

    def several(key: str) -> tuple[str, ...]:
        value = sent.get(key, ())
        return (value,) if isinstance(value, str) else tuple(value)

    signals = {key: str(sent.get(key, "")) for key in ("ttclid", "ttp", "ip", "user_agent")}
    return User(email=several("email"), phone=several("phone"), external_id=several("external_id"), **signals)


class Commitment:
    """Follow whether a write stays, by the transaction's commit. Django reports a commit, and never a rollback.

    Make it right after the write, in the same transaction. `then` runs at the commit, or at once without an open
    transaction. In a test whose transaction never commits, it stays open. What depends on it is shown, but `then` never
    runs, unless the test uses Django's captureOnCommitCallbacks(execute=True).
    """

    def __init__(self, using: str, then: Callable[[], None] | None = None) -> None:
        self.committed = False
        self._taken_back = False
        self._connection = connections[using]
        self._then = then
        self._hook = self._commit  # one object, to recognise it in the connection's list
        try:
            self._connection.on_commit(self._hook, robust=True)
        except TransactionManagementError:
            # Autocommit was switched off by hand. No hook reports that commit, so the write counts as committed.
            self.committed = True

    def _commit(self) -> None:
        self.committed = True
        if self._then is not None:
            self._then()

    @property
    def is_open(self) -> bool:
        """True while the transaction may still commit or roll back. A rollback, also to a savepoint, drops its
        hooks."""
        return any(entry[1] is self._hook for entry in self._connection.run_on_commit)

    def take_back(self) -> None:
        """Mark the write as undone in the same transaction."""
        self._taken_back = True

    @property
    def is_undone(self) -> bool:
        """True once the write was rolled back or taken back."""
        return self._taken_back or (not self.committed and not self.is_open)


TTP_COOKIE = "_ttp"
ATTRIBUTE = "tiktok_visitor"


class Visitor:
    """The visitor behind a request: click id, cookie, IP address, user agent, page, language, and calls to show."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self._to_show: list[PixelCall] = []
        self._to_watch: list[str] = []
        self._of_interest: list[tuple[Any, bool]] = []
        self._undecided: list[tuple[Commitment, list[Any], Any]] = []
        self.unseen: list[Unseen] = []
        self.made_under: dict[tuple[str, str], Reason] = {}  # circumstance of each object (label, key) made in one

    @property
    def is_shopper(self) -> bool:
        """True if the signals of this request are its person's. Not cached: before Django resolves the URL, less is
        known."""
        return caller_of(self.request).gives_signals

    @property
    def decision(self) -> Decision:
        """What this visitor's request allows. Not cached: a view may write the answer into the session."""
        return decide(self.request)

    @property
    def will(self) -> Decision:
        """The visitor's own will, whatever the circumstances of this request. It may be stored with an object."""
        return will_of(self.request)

    @property
    def circumstance(self) -> Reason | None:
        """The circumstance for which nothing that this request itself does is recorded, None if there is none."""
        return circumstance_of(self.request)

    @cached_property
    def landing_click_id(self) -> str:
        """The click id of this request's address, "" on a private path."""
        found = matching.from_query(self.request.META.get("QUERY_STRING", ""))
        return "" if not found or self._is_on_private_page else found

    @cached_property
    def user(self) -> User:
        """The matching keys that the request itself carries, without those of the signed-in user."""
        settings, meta, cookies = conf.current(), self.request.META, self.request.COOKIES
        return User(
            ttclid=self.landing_click_id or matching.clean(cookies.get(matching.COOKIE, "")),
            ttp=matching.clean(cookies.get(TTP_COOKIE, "")),
            ip=client_address(
                meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.trusted_proxies
            ),
            user_agent=user_agent(meta.get("HTTP_USER_AGENT", "")),
            locale=locale(meta.get("HTTP_ACCEPT_LANGUAGE", "")),
        )

    @property
    def signed_in(self) -> User:
        """The matching keys of the signed-in user, as USER maps them. A user who signs in during the request counts."""
        account = account_of(self.request)
        if account is None:
            return NO_USER
        keys, notes = identified(account, conf.current().user)
        for note in notes:
            logger.debug("tiktok: of the signed-in user %s", note)
        return keys

    # Decision: a cookie names the rows that wait, and a cookie can be copied into another browser. So the hashes of a
    # stored event are shown only if something else recognises its visitor. An unrecognised visitor (a new address and
    # no cookie of the pixel) loses one matching key in the browser; the server's event has them all. No second, secret
    # cookie marks the browser: it would be a new identifier and need the visitor's consent.
    def is_recognised(self, stored: User) -> bool:
        """Return whether this request comes from the visitor whose signals a stored event has."""
        if (stored.ttclid and stored.ttclid == self.user.ttclid) or (stored.ttp and stored.ttp == self.user.ttp):
            return True
        if stored.ip and stored.user_agent and (stored.ip, stored.user_agent) == (self.user.ip, self.user.user_agent):
            return True
        try:
            known = self.signed_in
        except SynchronousOnlyOperation:  # a template of an async view, before any code has asked for the user
            return False
        pairs = ((stored.email, known.email), (stored.phone, known.phone), (stored.external_id, known.external_id))
        return any(not set(theirs).isdisjoint(own) for theirs, own in pairs)

    @cached_property
    def page(self) -> Page:
        """The page's address and its referrer, without anything that must not be sent.

        Empty on a private path: an object that is made there may be recorded later, but its page never is. For a
        request of a page's script, it is the page that the script runs on. The referrer of that page is unknown then.
        """
        settings = conf.current()
        if self._is_on_private_page:
            return Page()
        if is_of_script(self.request) and (named := page_of_script(self.request)):
            address, path = named
            if not is_private(path, settings):
                return Page(url=page_address(address, settings))
            return Page(url=self._own_address)  # the endpoint's address, because a private page is never named
        referrer = self.request.META.get("HTTP_REFERER", "")
        if settings.private_paths and is_private(decoded_path(referrer), settings):
            referrer = ""
        return Page(url=self._own_address, referrer=page_address(referrer, settings))

    @property
    def _own_address(self) -> str:
        # Django would quote the whole query twice: 5 ms for 24,000 bytes, of which only the beginning is read.
        query = self.request.META.get("QUERY_STRING", "")[:MOST_READ]
        path = escape_uri_path(self.request.path)
        try:
            address = self.request.build_absolute_uri(f"//{path}?{query}" if query else f"//{path}")
        except DisallowedHost:
            address = ""
        return page_address(address, conf.current())

    @property
    def _is_on_private_page(self) -> bool:
        return is_private(path_of(self.request), conf.current())

    def show(self, pixel_call: PixelCall, commitment: Commitment) -> None:
        """Show this pixel call on a page, unless its transaction is rolled back."""
        self._note(commitment, self._to_show, pixel_call)

    def watch(self, key: str, commitment: Commitment) -> None:
        """Watch an object ("shop.Order:42") that this visitor made and that may become a conversion later."""
        self._note(commitment, self._to_watch, key)

    def answers_for(self, entry: Any, commitment: Commitment, *, awaiting: bool) -> None:
        """Remember a row (pixel, name, event id) or an object ("shop.Order:42") that a later answer decides.

        `awaiting`: it awaits the answer. Otherwise it is only removed if the visitor withdraws consent.
        """
        self._note(commitment, self._of_interest, (entry, awaiting))

    @property
    def of_interest(self) -> list[tuple[Any, bool]]:
        """Rows and objects of this request that a later answer decides, each with whether it awaits one."""
        self._drop_undone()
        return self._of_interest

    @property
    def to_show(self) -> list[PixelCall]:
        """Pixel calls of this request that no page has shown yet."""
        self._drop_undone()
        return self._to_show

    @property
    def to_watch(self) -> list[str]:
        """Objects made in this request that may become a conversion elsewhere."""
        self._drop_undone()
        return self._to_watch

    def _note(self, commitment: Commitment, where: list[Any], entry: Any) -> None:
        where.append(entry)
        self._undecided.append((commitment, where, entry))

    def _drop_undone(self) -> None:
        """Forget what was rolled back. Another customer's purchase may get the same key later."""
        undecided, self._undecided = self._undecided, []
        for noted in undecided:
            commitment, where, entry = noted
            if commitment.is_undone:
                where[:] = [other for other in where if other is not entry]
            elif not commitment.committed:
                self._undecided.append(noted)


def visitor_of(request: HttpRequest) -> Visitor:
    """Return the visitor of a request. It is made at the first call."""
    request = getattr(request, "_request", request)  # a request of Django REST framework wraps Django's own
    visitor: Visitor | None = getattr(request, ATTRIBUTE, None)
    if visitor is None:
        visitor = Visitor(request)
        setattr(request, ATTRIBUTE, visitor)
    return visitor


# Circumstances that count even in a back office: the site's own veto, and a preview, which no visitor sees.
OF_ANYBODY = (Reason.PRIVATE_PATH, Reason.PREVIEW)


class Requester(NamedTuple):
    """Who sends a request, and which parts of the request count for what it makes or tracks."""

    visitor: Visitor
    caller: Caller

    @property
    def shopper(self) -> Visitor | None:
        """The visitor, None if the signals of the request are not used."""
        return self.visitor if self.caller.gives_signals else None

    @property
    def as_stranger(self) -> Requester:
        """The same requester, for what belongs to another person. See `Caller` for what still counts then."""
        return self._replace(caller=Caller.UNKNOWN if self.caller is Caller.APP else Caller.BACK_OFFICE)

    @property
    def will(self) -> Decision | None:
        """The person's own will. Of an unknown caller only a refusal counts, of a back office nothing."""
        if self.caller.gives_signals:
            return self.visitor.will
        return refusal_of(self.visitor.request) if self.caller is Caller.UNKNOWN else None

    @property
    def circumstance(self) -> Reason | None:
        """The circumstance for which nothing that this request does is recorded. In a back office fewer count."""
        found = self.visitor.circumstance
        return found if self.caller is not Caller.BACK_OFFICE or found in OF_ANYBODY else None


def requester_of(request: HttpRequest) -> Requester:
    """Return who sends this request, as far as it is known at this moment."""
    visitor = visitor_of(request)
    return Requester(visitor, caller_of(visitor.request))
