"""The visitor of one request. Everything is read when it is asked for, so an ordinary page costs nothing."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost, SynchronousOnlyOperation
from django.http import HttpRequest
from django.utils.encoding import escape_uri_path

from tiktok_attribution import conf
from tiktok_attribution.consent.answer import Decision, Reason
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.addresses import MOST_READ, decoded_path
from tiktok_attribution.events.types import NO_USER
from tiktok_attribution.visitor import click_id
from tiktok_attribution.visitor.address import client_address
from tiktok_attribution.visitor.caller import Caller, account_of, caller_of
from tiktok_attribution.visitor.commitment import Commitment
from tiktok_attribution.visitor.document import is_of_script, page_of_script
from tiktok_attribution.visitor.headers import locale, user_agent
from tiktok_attribution.visitor.identity import identified
from tiktok_attribution.visitor.page_address import page_address
from tiktok_attribution.visitor.permission import (
    circumstance_of,
    decide,
    is_private,
    path_of,
    refusal_of,
    will_of,
)
from tiktok_attribution.visitor.pixel_call import PixelCall, Unseen

logger = logging.getLogger("tiktok_attribution")

TTP_COOKIE = "_ttp"
ATTRIBUTE = "tiktok_visitor"


class Visitor:
    """Who stands behind a request: click id, cookie, address, agent, page, language, and what is to be shown."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self._to_show: list[PixelCall] = []
        self._to_watch: list[str] = []
        self._of_interest: list[tuple[Any, bool]] = []
        self._undecided: list[tuple[Commitment, list[Any], Any]] = []
        self.unseen: list[Unseen] = []
        self.made_under: dict[tuple[str, str], Reason] = {}  # objects (label, key) made in such a circumstance

    @property
    def is_shopper(self) -> bool:
        """Whether the signals of this request are its person's. Not kept: before the URL is resolved there is less to
        tell by."""
        return caller_of(self.request).gives_signals

    @property
    def decision(self) -> Decision:
        """What this visitor's request allows. Not kept: a view may write the answer into the session."""
        return decide(self.request)

    @property
    def will(self) -> Decision:
        """What this visitor wants, whatever the circumstances of this request; it may be stored with an object."""
        return will_of(self.request)

    @property
    def circumstance(self) -> Reason | None:
        """Why nothing is told of what this request itself does."""
        return circumstance_of(self.request)

    @cached_property
    def landing_click_id(self) -> str:
        """The click id of this very address; a private one has none."""
        return "" if self._is_on_private_page else click_id.from_query(self.request.META.get("QUERY_STRING", ""))

    @cached_property
    def user(self) -> User:
        """The matching keys that the request itself carries; the signed-in user is another matter."""
        settings, meta, cookies = conf.current(), self.request.META, self.request.COOKIES
        return User(
            ttclid=self.landing_click_id or click_id.clean(cookies.get(click_id.COOKIE, "")),
            ttp=click_id.clean(cookies.get(TTP_COOKIE, "")),
            ip=client_address(
                meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.trusted_proxies
            ),
            user_agent=user_agent(meta.get("HTTP_USER_AGENT", "")),
            locale=locale(meta.get("HTTP_ACCEPT_LANGUAGE", "")),
        )

    @property
    def signed_in(self) -> User:
        """The matching keys of the signed-in user, as the setting USER maps them; who signs up is so halfway."""
        account = account_of(self.request)
        if account is None:
            return NO_USER
        keys, notes = identified(account, conf.current().user)
        for note in notes:
            logger.debug("tiktok: of the signed-in user %s", note)
        return keys

    # Which rows wait is said by a cookie, and a cookie can be copied into another browser. So the hashes of a stored
    # event are shown only where something else says that this is its visitor again. A visitor who is not recognised (a
    # new address and no cookie of the pixel's) loses one matching key in the browser; the server's event has them all.
    # No secret of our own marks the browser: a cookie that identifies would need an answer of its own from the visitor.
    def is_recognised(self, stored: User) -> bool:
        """Whether this request is of the visitor whose signals stand in an event."""
        here = self.user
        if (stored.ttclid and stored.ttclid == here.ttclid) or (stored.ttp and stored.ttp == here.ttp):
            return True
        if stored.ip and stored.user_agent and (stored.ip, stored.user_agent) == (here.ip, here.user_agent):
            return True
        try:
            known = self.signed_in
        except SynchronousOnlyOperation:  # a template of an async view, and nobody has asked for the user before
            return False
        pairs = ((stored.email, known.email), (stored.phone, known.phone), (stored.external_id, known.external_id))
        return any(not set(theirs).isdisjoint(own) for theirs, own in pairs)

    @cached_property
    def page(self) -> Page:
        """The page's address and the one before it, with nothing in them but what is allowed.

        Empty on a private path: an object that is made there may be told of later, and its page never. For a request
        of a page's script it is the page that the script runs on; the page before that one is not known then.
        """
        settings = conf.current()
        if self._is_on_private_page:
            return Page()
        if is_of_script(self.request) and (named := page_of_script(self.request)):
            address, path = named
            if not is_private(path, settings):
                return Page(url=page_address(address, settings))
            return Page(url=self._own_address)  # the endpoint's, for no private page is named
        referrer = self.request.META.get("HTTP_REFERER", "")
        if settings.private_paths and is_private(decoded_path(referrer), settings):
            referrer = ""
        return Page(url=self._own_address, referrer=page_address(referrer, settings))

    @property
    def _own_address(self) -> str:
        # Django would quote the whole query, and twice: 5 ms for 24,000 bytes of which only the beginning is read.
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
        """Have a page show this pixel call, unless its transaction is rolled back."""
        self._note(commitment, self._to_show, pixel_call)

    def watch(self, key: str, commitment: Commitment) -> None:
        """Look out for what becomes of an object ("shop.Order:42") that this visitor made."""
        self._note(commitment, self._to_watch, key)

    def answers_for(self, entry: Any, commitment: Commitment, *, awaiting: bool) -> None:
        """Remember a row (pixel, name, event id) or an object ("shop.Order:42") that a later answer of theirs decides.

        `held`: it waits for the answer. Else it only goes if the visitor withdraws.
        """
        self._note(commitment, self._of_interest, (entry, awaiting))

    @property
    def of_interest(self) -> list[tuple[Any, bool]]:
        """Rows and objects of this request that a later answer decides, each with whether it waits for one."""
        self._drop_undone()
        return self._of_interest

    @property
    def to_show(self) -> list[PixelCall]:
        """Browser channels that arose in this request and no page has shown yet."""
        self._drop_undone()
        return self._to_show

    @property
    def to_watch(self) -> list[str]:
        """Objects made in this request that may turn into a conversion elsewhere."""
        self._drop_undone()
        return self._to_watch

    def _note(self, commitment: Commitment, where: list[Any], entry: Any) -> None:
        where.append(entry)
        self._undecided.append((commitment, where, entry))

    def _drop_undone(self) -> None:
        """Forget what was rolled back. Its key may be the next customer's, whose purchase is not this visitor's."""
        undecided, self._undecided = self._undecided, []
        for noted in undecided:
            commitment, where, entry = noted
            if commitment.is_undone:
                where[:] = [other for other in where if other is not entry]
            elif not commitment.committed:
                self._undecided.append(noted)


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor of a request, made when first asked for."""
    request = getattr(request, "_request", request)  # a request of Django REST framework wraps Django's own
    visitor: Visitor | None = getattr(request, ATTRIBUTE, None)
    if visitor is None:
        visitor = Visitor(request)
        setattr(request, ATTRIBUTE, visitor)
    return visitor


# What holds for a request even in a back office: the site's own veto, and that nobody visits.
OF_ANYBODY = (Reason.PRIVATE_PATH, Reason.PREVIEW)


class Requester(NamedTuple):
    """Who sends a request, and what of it counts for what the request itself makes or tracks."""

    visitor: Visitor
    caller: Caller

    @property
    def shopper(self) -> Visitor | None:
        """The visitor, where the signals of the request are used."""
        return self.visitor if self.caller.gives_signals else None

    @property
    def as_stranger(self) -> Requester:
        """The same request where it makes or tracks what is another person's; see `Caller` for what is still heard."""
        return self._replace(caller=Caller.UNKNOWN if self.caller is Caller.APP else Caller.BACK_OFFICE)

    @property
    def will(self) -> Decision | None:
        """The person's own will; of an unknown caller a refusal alone, of a back office nothing."""
        if self.caller.gives_signals:
            return self.visitor.will
        return refusal_of(self.visitor.request) if self.caller is Caller.UNKNOWN else None

    @property
    def circumstance(self) -> Reason | None:
        """Why nothing is told of what this request itself does; less of it counts in a back office."""
        found = self.visitor.circumstance
        return found if self.caller is not Caller.BACK_OFFICE or found in OF_ANYBODY else None


def requester_of(request: HttpRequest) -> Requester:
    """Who sends this request, as far as it can be told at this moment."""
    visitor = visitor_of(request)
    return Requester(visitor, caller_of(visitor.request))
