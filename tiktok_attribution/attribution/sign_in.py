"""Link a browser to the person who signs in: only with ATTRIBUTION["join"], and if the visitor agrees."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

from django.http import HttpRequest

from tiktok_attribution import conf
from tiktok_attribution.attribution.links import joining_digests, link
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import report
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.caller import is_staff
from tiktok_attribution.visitor.matching import identified
from tiktok_attribution.visitor.visitor import visitor_of
from tiktok_attribution.visitor.visitor_key import key_for_event

IMPERSONATION = ("hijack_history", "_impersonate", "loginas_from_user")
"""Keys that django-hijack, django-impersonate and django-loginas write into the session of a colleague."""


@errors_without_values
def signed_in(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Note which person used this browser, at a sign-in. It raises nothing, unless STRICT is on."""
    attribution = conf.current().attribution
    if request is None or not attribution.enabled or not attribution.join or not conf.current().enabled:
        return
    try:
        with protected(write_database()):
            key = None if _is_of_staff(request, user) else _key(request)
            keys = None if key is None else identified(user, conf.current().user)[0]
        if key is not None and keys is not None:
            for identifier, digest in joining_digests(keys):
                link(key, identifier, digest, int(time()))
    except Exception as error:  # noqa: BLE001 -- the site's own mapping may raise anything
        report(error, "a browser was not linked to the person who signed in")


def _key(request: HttpRequest) -> Any:
    visitor = visitor_of(request)
    if visitor.circumstance is not None or not visitor.is_shopper:
        return None
    return key_for_event(visitor.request, visitor.will)


def _is_of_staff(request: HttpRequest, user: Any) -> bool:
    """Return whether staff signs in, as themselves or as a customer. Such a browser is no customer's."""
    session: Mapping[str, Any] = getattr(request, "session", {})
    before = getattr(request, "_cached_user", None)  # who was signed in when this request came, if Django has read it
    is_before = before is not None and getattr(before, "is_authenticated", False) and is_staff(before)
    return is_before or is_staff(user) or any(key in session for key in IMPERSONATION)
