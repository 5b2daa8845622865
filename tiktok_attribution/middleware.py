"""The middleware: notes the click id of a landing, and keeps the browser halves that no page has shown yet.

On an ordinary request it looks at the raw query string, sets a context variable, and that is all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf
from tiktok_attribution.browser.page import finish
from tiktok_attribution.visitor import click_id
from tiktok_attribution.visitor.current import current_request
from tiktok_attribution.visitor.visitor import ATTRIBUTE, visitor_of

Response = HttpResponseBase
GetResponse = Callable[[HttpRequest], Response | Awaitable[Response]]


class AttributionMiddleware:
    """Sync and async. Stands after SessionMiddleware, before what answers from a cache."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response | Awaitable[Response]:
        if self._is_async:
            return self._answer_async(request)
        token = current_request.set(request)
        try:
            response = cast(Response, self.get_response(request))
        finally:
            current_request.reset(token)
        if _has_work(request):
            _after(request, response)
        return response

    async def _answer_async(self, request: HttpRequest) -> Response:
        token = current_request.set(request)
        try:
            response = await cast("Awaitable[Response]", self.get_response(request))
        finally:
            current_request.reset(token)
        if _has_work(request):
            await sync_to_async(_after)(request, response)
        return response


def _has_work(request: HttpRequest) -> bool:
    return ATTRIBUTE in request.__dict__ or click_id.PARAMETER + "=" in request.META.get("QUERY_STRING", "")


def _after(request: HttpRequest, response: Response) -> None:
    settings = conf.current()
    if not settings.enabled:
        return
    visitor = visitor_of(request)
    if visitor.landing_click_id:
        click_id.remember(response, request, visitor.landing_click_id, settings)
    finish(request, response)
