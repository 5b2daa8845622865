"""The visitor of one request. Everything is read when it is asked for, so an ordinary page costs nothing."""

from __future__ import annotations

import logging
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.translation import get_language

from tiktok_attribution import conf
from tiktok_attribution.consent.answer import Decision
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.addresses import clean_address
from tiktok_attribution.events.types import NO_USER
from tiktok_attribution.visitor import click_id
from tiktok_attribution.visitor.address import client_address
from tiktok_attribution.visitor.commitment import Commitment
from tiktok_attribution.visitor.headers import locale, user_agent
from tiktok_attribution.visitor.identity import identified
from tiktok_attribution.visitor.permission import INSPECTION, decide, is_private
from tiktok_attribution.visitor.reason import report
from tiktok_attribution.visitor.showing import Showing

logger = logging.getLogger("tiktok_attribution")

TTP_COOKIE = "_ttp"
ATTRIBUTE = "tiktok_visitor"


class Visitor:
    """Who stands behind a request: click id, cookie, address, agent, page, language, and what is to be shown."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self._to_show: list[Showing] = []
        self._to_watch: list[str] = []
        self._of_interest: list[tuple[Any, bool]] = []
        self._undecided: list[tuple[Commitment, list[Any], Any]] = []

    @property
    def is_shopper(self) -> bool:
        """False where a machine or a colleague speaks: a webhook, the admin, a path that the settings exclude.

        A view that takes cross-site POSTs and a request without any cookie is how payment providers call. Not kept:
        before the URL is resolved there is less to tell by.
        """
        settings, request = conf.current(), self.request
        if INSPECTION in request.META:
            return False
        if settings.is_visitor is not None:
            answer = _answer(settings.is_visitor, request)
            if answer is not None:
                return bool(answer)
        match = request.resolver_match
        if match is not None and "admin" in match.app_names:
            return False
        if request.path_info.startswith((*filter(None, settings.excluded_paths), *_admin_paths())):
            return False
        view = match and match.func
        is_open = getattr(view, "csrf_exempt", False) and not getattr(view, "is_of_visitors", False)
        return bool(request.COOKIES) or not is_open

    @property
    def decision(self) -> Decision:
        """What this visitor allows. Not kept: a view may write the answer into the session."""
        return decide(self.request)

    @cached_property
    def landing_click_id(self) -> str:
        """The click id of this very address."""
        return click_id.from_query(self.request.META.get("QUERY_STRING", ""))

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
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return NO_USER
        keys, notes = identified(user, conf.current().user)
        for note in notes:
            logger.debug("tiktok: of the signed-in user %s", note)
        return keys

    @cached_property
    def page(self) -> Page:
        """The page's address and the one before it, with nothing in them but what is allowed."""
        settings = conf.current()
        allowed = settings.allowed_parameters
        try:
            address = self.request.build_absolute_uri()
        except DisallowedHost:
            address = ""
        referrer = clean_address(self.request.META.get("HTTP_REFERER", ""), allowed)
        if settings.private_paths and is_private(urlsplit(referrer).path, settings):
            referrer = ""
        return Page(url=clean_address(address, allowed), referrer=referrer)

    def show(self, showing: Showing, commitment: Commitment) -> None:
        """Have a page show this browser half, unless its transaction is rolled back."""
        self._note(commitment, self._to_show, showing)

    def watch(self, key: str, commitment: Commitment) -> None:
        """Look out for what becomes of an object ("shop.Order:42") that this visitor made."""
        self._note(commitment, self._to_watch, key)

    def answers_for(self, entry: Any, commitment: Commitment, *, held: bool) -> None:
        """Remember a row (pixel, name, event id) or an object ("shop.Order:42") that a later answer of theirs decides.

        `held`: it waits for the answer. Else it only goes if the visitor withdraws.
        """
        self._note(commitment, self._of_interest, (entry, held))

    @property
    def of_interest(self) -> list[tuple[Any, bool]]:
        """Rows and objects of this request that a later answer decides, each with whether it waits for one."""
        self._drop_undone()
        return self._of_interest

    @property
    def to_show(self) -> list[Showing]:
        """Browser halves that arose in this request and no page has shown yet."""
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


def _answer(is_visitor: Any, request: HttpRequest) -> bool | None:
    """What the site's IS_VISITOR says; where it raises, nobody's signals are taken."""
    try:
        answer: bool | None = is_visitor(request)
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "IS_VISITOR failed, so the request counts as nobody's")
        return False
    return answer


def _admin_paths() -> tuple[str, ...]:
    return _reversed(get_urlconf() or django_settings.ROOT_URLCONF, get_script_prefix(), get_language())


@lru_cache(maxsize=64)
def _reversed(urlconf: Any, prefix: str, language: str | None) -> tuple[str, ...]:
    try:
        return (reverse("admin:index"),)
    except NoReverseMatch:
        return ()


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor of a request, made when first asked for."""
    request = getattr(request, "_request", request)  # a request of Django REST framework wraps Django's own
    visitor: Visitor | None = getattr(request, ATTRIBUTE, None)
    if visitor is None:
        visitor = Visitor(request)
        setattr(request, ATTRIBUTE, visitor)
    return visitor
