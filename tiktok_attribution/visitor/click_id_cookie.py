"""The click id's first-party cookie: set for who agrees, held where the site says so, gone for who refuses."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution.conf import Settings
from tiktok_attribution.visitor import cookies
from tiktok_attribution.visitor.click_id import COOKIE
from tiktok_attribution.visitor.private_response import make_private
from tiktok_attribution.visitor.visitor import Visitor


def settle(response: HttpResponseBase, visitor: Visitor, settings: Settings, *, found: str = "") -> None:
    """After the view: what becomes of the click id of this address, or of the one that was `found` elsewhere."""
    stored = visitor.request.COOKIES.get(COOKIE, "")
    found = found or visitor.landing_click_id
    if not found and not stored:
        return
    decision = visitor.decision
    if decision.is_granted:
        if found and found != stored:
            remember(response, visitor.request, found, settings)
    elif decision.is_refusal:
        if stored:
            cookies.remove(visitor.request, response, COOKIE, settings=settings, domain=settings.cookie_domain)
            make_private(response)
    elif not decision.is_denied and settings.hold_click_id and found and found != stored:
        remember(response, visitor.request, found, settings, until_closed=True)


def remember(
    response: HttpResponseBase, request: HttpRequest, click_id: str, settings: Settings, *, until_closed: bool = False
) -> None:
    """Set the cookie; a new click wins over an old one. The response becomes one visitor's own.

    `until_closed`: for as long as the browser is open, where the visitor has not answered yet.
    """
    max_age = None if until_closed else settings.click_id_days * 86_400
    domain = settings.cookie_domain
    cookies.put(request, response, COOKIE, click_id, settings=settings, domain=domain, max_age=max_age)
    make_private(response)
