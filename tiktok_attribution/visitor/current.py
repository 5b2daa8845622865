"""The request that is being answered, for code that has none at hand: a model's signal."""

from __future__ import annotations

from contextvars import ContextVar

from django.http import HttpRequest

from tiktok_attribution.visitor.visitor import Visitor, visitor_of

current_request: ContextVar[HttpRequest | None] = ContextVar("tiktok_attribution_request", default=None)


def current_shopper() -> Visitor | None:
    """The visitor whose own request is being answered; None in a task, a command, a webhook or the admin."""
    request = current_request.get()
    if request is None:
        return None
    visitor = visitor_of(request)
    return visitor if visitor.is_shopper else None
