"""The request that is being answered, for code that has none at hand: a model's signal."""

from __future__ import annotations

from contextvars import ContextVar

from django.http import HttpRequest

from tiktok_attribution.consent.answer import Reason
from tiktok_attribution.visitor.object_key import object_key
from tiktok_attribution.visitor.visitor import ATTRIBUTE, Requester, requester_of

current_request: ContextVar[HttpRequest | None] = ContextVar("tiktok_attribution_request", default=None)


def current_requester() -> Requester | None:
    """Who sends the request that is being answered; None in a task or a command."""
    request = current_request.get()
    return None if request is None else requester_of(request)


def made_under(label: str, pk: object) -> Reason | None:
    """The circumstance in which this very request made this object, where there was one."""
    request = current_request.get()
    visitor = None if request is None else request.__dict__.get(ATTRIBUTE)
    return visitor.made_under.get((label, object_key(pk))) if visitor is not None and visitor.made_under else None
