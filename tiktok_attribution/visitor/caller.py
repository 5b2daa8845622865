"""Who sends a request: the visitor, somebody in the back office, or nobody knows."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.translation import get_language

from tiktok_attribution import conf
from tiktok_attribution.visitor.permission import INSPECTION, path_of
from tiktok_attribution.visitor.reason import report


class Caller(Enum):
    """Whose browser or machine it is."""

    # A refusal is heard from the first and the last. A member of staff who enters a customer's order in the admin sends
    # Sec-GPC for their own browser: the customer has said nothing by it. The same goes for EXCLUDED_PATHS and for what
    # IS_VISITOR calls no visitor: the site knows that somebody else speaks there. Of an unknown caller the site knows
    # nothing: it may be the person's own app or a page that sends no cookies, so its refusal holds, and nothing else.
    VISITOR = "visitor"
    BACK_OFFICE = "back office"
    UNKNOWN = "unknown"


def caller_of(request: HttpRequest) -> Caller:
    """By IS_VISITOR, the admin's and the excluded paths, and by how payment providers call.

    They call a view that takes cross-site POSTs, without any cookie; so does a visitor's app that signs in by a token.
    """
    settings = conf.current()
    if INSPECTION in request.META:
        return Caller.BACK_OFFICE
    if settings.is_visitor is not None:
        answer = _answer(settings.is_visitor, request)
        if answer is not None:
            return answer
    match = request.resolver_match
    if match is not None and "admin" in match.app_names:
        return Caller.BACK_OFFICE
    if path_of(request).startswith((*filter(None, settings.excluded_paths), *_admin_paths())):
        return Caller.BACK_OFFICE
    view = match and match.func
    is_open = getattr(view, "csrf_exempt", False) and not getattr(view, "is_of_visitors", False)
    return Caller.VISITOR if request.COOKIES or not is_open else Caller.UNKNOWN


def _answer(is_visitor: Any, request: HttpRequest) -> Caller | None:
    """What the site's IS_VISITOR says; where it raises, no signals are taken, and a refusal is heard."""
    try:
        answer = is_visitor(request)
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "IS_VISITOR failed, so the request counts as nobody's")
        return Caller.UNKNOWN
    if answer is None:
        return None
    return Caller.VISITOR if answer else Caller.BACK_OFFICE


def _admin_paths() -> tuple[str, ...]:
    return _reversed(get_urlconf() or django_settings.ROOT_URLCONF, get_script_prefix(), get_language())


@lru_cache(maxsize=64)
def _reversed(urlconf: Any, prefix: str, language: str | None) -> tuple[str, ...]:
    try:
        return (reverse("admin:index"),)
    except NoReverseMatch:
        return ()
