"""Tell who sends a request (the visitor, a person in the back office, an unknown caller), and in which shop."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.translation import get_language

from tiktok_attribution import conf
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.events.ids import valid_pixel_codes
from tiktok_attribution.failures import report
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.permission import INSPECTION, path_of

# The first pages of back offices that can be found by name. Each stands for all paths below it.
BACK_OFFICES = ("admin:index", "wagtailadmin_home")


class Caller(Enum):
    """Whose browser or machine sends a request. `conversions.person` tells if it is also the person of an object."""

    # Decision: a refusal counts from every caller but the back office. A member of staff who enters a customer's order
    # in the admin sends Sec-GPC for their own browser; the customer has refused nothing. The same is true of
    # EXCLUDED_PATHS, of what IS_VISITOR calls no visitor, and of a person who makes another person's object. An unknown
    # caller may be the person's own app, or a page that sends no cookies. So its refusal counts, and nothing else.
    VISITOR = "visitor"
    NAMED_VISITOR = "visitor, as IS_VISITOR says"
    APP = "signed in by a token"
    BACK_OFFICE = "back office"
    UNKNOWN = "unknown"

    @property
    def gives_signals(self) -> bool:
        """True if the signals of the request are its visitor's."""
        return self is Caller.VISITOR or self is Caller.NAMED_VISITOR or self is Caller.APP


def caller_of(request: HttpRequest) -> Caller:
    """Tell the caller by IS_VISITOR, the paths of back offices, the header X-TikTok-Events, and the kind of view."""
    # Decision: a request without any cookie to a `csrf_exempt` view is not a visitor's, because payment providers call
    # like that. A visitor's app does too, but it signs in by a token or asks for events by the header. IS_VISITOR and
    # EXCLUDED_PATHS say more.
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
    offices = _back_offices()
    if path_of(request).startswith((*settings.excluded_paths, *offices)) or request.path.startswith(offices):
        return Caller.BACK_OFFICE
    view = match and match.func
    is_open = getattr(view, "csrf_exempt", False) and not getattr(view, "is_of_visitors", False)
    if request.COOKIES or not is_open or "HTTP_X_TIKTOK_EVENTS" in request.META:
        return Caller.VISITOR
    return _without_cookies(request)


def _without_cookies(request: HttpRequest) -> Caller:
    """Tell a visitor's app from a machine, for a request without cookies.

    Django REST framework and the headless API of allauth put the user of a token on the request. A machine has such a
    user as well (an ERP, a till). So for an APP, each object is asked whose it is. allauth marks the requests of a
    person's app. This matters while they sign up, when there is no user yet.
    """
    if getattr(getattr(request, "allauth", None), "headless", None) is not None:
        return Caller.VISITOR
    try:
        account = account_of(request)
    except Exception as error:  # noqa: BLE001 -- the site's own way to sign in may raise anything
        report(error, "can't tell the user of a request")
        return Caller.UNKNOWN
    return Caller.UNKNOWN if account is None or is_staff(account) else Caller.APP


def account_of(request: HttpRequest) -> Any:
    """Return the signed-in user of a request, None if no user is signed in."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def is_staff(account: Any) -> bool:
    """Return whether this user enters other people's orders, by IS_STAFF, or else by Django's `is_staff`."""
    settings = conf.current()
    if settings.is_staff is None:
        return bool(getattr(account, "is_staff", False))
    try:
        return bool(settings.is_staff(account))
    except Exception as error:  # noqa: BLE001 -- as above
        report(error, "IS_STAFF failed, so the user counts as staff")
        return True


def _answer(is_visitor: Any, request: HttpRequest) -> Caller | None:
    """Return what the site's IS_VISITOR says. If it raises, no signals are used, and only a refusal counts."""
    try:
        answer = is_visitor(request)
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "IS_VISITOR failed, so the request counts as nobody's")
        return Caller.UNKNOWN
    if answer is None:
        return None
    return Caller.NAMED_VISITOR if answer else Caller.BACK_OFFICE


def _back_offices() -> tuple[str, ...]:
    return _reversed(get_urlconf() or django_settings.ROOT_URLCONF, get_script_prefix(), get_language())


@lru_cache(maxsize=64)
def _reversed(urlconf: Any, prefix: str, language: str | None) -> tuple[str, ...]:
    return tuple(path for name in BACK_OFFICES for path in _found(name))


def _found(name: str) -> tuple[str, ...]:
    try:
        return (reverse(name),)
    except NoReverseMatch:
        return ()


def pixels_of_request(request: HttpRequest | None) -> tuple[str, ...] | None:
    """Return the pixels of PIXEL_FOR_REQUEST, which may be none at all. None without a request, or if it failed."""
    settings = conf.current()
    if request is None or settings.pixel_for_request is None:
        return None
    try:
        with protected(write_database()):
            return valid_pixel_codes(settings.pixel_for_request(request))
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "PIXEL_FOR_REQUEST failed, so PIXEL_CODE is used")
        return None
