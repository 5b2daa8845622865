"""The visitor of one request. Everything is read when it is asked for, so an ordinary page costs nothing."""

from __future__ import annotations

import re
from functools import cached_property

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from tiktok_attribution import conf
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.addresses import clean_address
from tiktok_attribution.visitor import click_id
from tiktok_attribution.visitor.address import client_address
from tiktok_attribution.visitor.identity import identified
from tiktok_attribution.visitor.showing import Showing

TTP_COOKIE = "_ttp"
ATTRIBUTE = "tiktok_visitor"
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)")


class Visitor:
    """Who stands behind a request: click id, cookie, address, agent, page, language, and what is to be shown."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    @cached_property
    def is_shopper(self) -> bool:
        """False where a machine or a colleague speaks: a webhook, the admin, a path that the settings exclude.

        A view that takes cross-site POSTs and a request without any cookie is how payment providers call.
        """
        settings, request = conf.current(), self.request
        if settings.is_visitor is not None:
            answer = settings.is_visitor(request)
            if answer is not None:
                return bool(answer)
        if request.path_info.startswith((*filter(None, settings.excluded_paths), *_admin_paths())):
            return False
        match = request.resolver_match
        return bool(request.COOKIES) or not getattr(match and match.func, "csrf_exempt", False)

    @cached_property
    def landing_click_id(self) -> str:
        """The click id of this very address."""
        return click_id.from_query(self.request.META.get("QUERY_STRING", ""))

    @cached_property
    def user(self) -> User:
        """The matching keys that the request itself carries; the signed-in user is another matter."""
        settings, meta, cookies = conf.current(), self.request.META, self.request.COOKIES
        language = _LANGUAGE.match(meta.get("HTTP_ACCEPT_LANGUAGE", ""))
        return User(
            ttclid=self.landing_click_id or click_id.clean(cookies.get(click_id.COOKIE, "")),
            ttp=click_id.clean(cookies.get(TTP_COOKIE, "")),
            ip=client_address(
                meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.trusted_proxies
            ),
            user_agent=meta.get("HTTP_USER_AGENT", "")[:1000],
            locale=language.group(1) if language else "",
        )

    @cached_property
    def signed_in(self) -> User:
        """The matching keys of the signed-in user, as the setting USER maps them."""
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return User()
        return identified(user, conf.current().user)[0]

    @cached_property
    def page(self) -> Page:
        """The page's address and the one before it, with nothing in them but what is allowed."""
        allowed = conf.current().allowed_parameters
        return Page(
            url=clean_address(self.request.build_absolute_uri(), allowed),
            referrer=clean_address(self.request.META.get("HTTP_REFERER", ""), allowed),
        )

    @cached_property
    def to_show(self) -> list[Showing]:
        """Browser halves that arose in this request and no page has shown yet."""
        return []

    @cached_property
    def to_watch(self) -> list[str]:
        """Objects made in this request ("shop.Order:42") that may turn into a conversion elsewhere."""
        return []


def _admin_paths() -> tuple[str, ...]:
    try:
        return (reverse("admin:index"),)
    except NoReverseMatch:
        return ()


def visitor_of(request: HttpRequest) -> Visitor:
    """The visitor of a request, made when first asked for."""
    visitor: Visitor | None = getattr(request, ATTRIBUTE, None)
    if visitor is None:
        visitor = Visitor(request)
        setattr(request, ATTRIBUTE, visitor)
    return visitor
