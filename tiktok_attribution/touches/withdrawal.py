"""Delete the touches of a browser: after a refusal of its visitor, and for an erasure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from django.db import router
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution.conf import Settings
from tiktok_attribution.models import Touch, VisitorLink
from tiktok_attribution.touches import waiting
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.visitor_key import read_key, remove_key

also_forget: list[Callable[[Collection[UUID]], object]] = []
"""What else is done for browsers that withdrew: higher floors add to it when Django starts."""


def withdraw(request: HttpRequest, response: HttpResponseBase, *, settings: Settings) -> None:
    """Delete this browser's touches and links, and take its cookies away.

    If the database refuses, the cookies stay, so that the next request with the refusal tries again.
    """
    key = read_key(request)
    if key is not None:
        using = router.db_for_write(Touch)
        with protected(using):
            for forget in also_forget:
                forget([key])
            delete_touches([key], using=using)
    remove_key(request, response, settings=settings)
    waiting.remove(request, response, settings=settings)


def delete_touches(keys: Collection[UUID], *, using: str) -> int:
    """Delete touches and links of these browsers. Return how many touches there were."""
    VisitorLink.objects.using(using).filter(visitor_key__in=keys)._raw_delete(using)  # no row points at these
    return Touch.objects.using(using).filter(visitor_key__in=keys)._raw_delete(using)
