"""The middleware: stores the click id and the touch of a landing, and keeps pixel calls for the visitor's next page.

On an ordinary request it only reads the raw query string and sets a context variable.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf
from tiktok_attribution.browser import insertion, page_response, pending_cookie, untagged
from tiktok_attribution.browser.consent_gate import is_told_by_server
from tiktok_attribution.conversions import recorded
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.touches import recording, waiting
from tiktok_attribution.visitor import cookies, matching
from tiktok_attribution.visitor.page import is_page_load
from tiktok_attribution.visitor.permission import will_of
from tiktok_attribution.visitor.visitor import ATTRIBUTE, current_request, visitor_of

logger = logging.getLogger("tiktok_attribution")

Response = HttpResponseBase
GetResponse = Callable[[HttpRequest], Response | Awaitable[Response]]

# Bound to names of this module, because every request uses them.
_VISITOR, _HANDOVER, _AT_END = ATTRIBUTE, page_response.ATTRIBUTE, recorded.ATTRIBUTE
_CLICK_ID, _PENDING = matching.PARAMETER + "=", pending_cookie.COOKIE
_TAG, _ANY_CLICK_ID = "utm_", "id="  # what every address has that `touches` may read
# Bound here: Python 3.11 creates a method of an imported name at each call, 10 to 17 % of this middleware's time.
_enter, _leave = current_request.set, current_request.reset


class AttributionMiddleware:
    """Works with sync and async views. Put it after SessionMiddleware and UpdateCacheMiddleware."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        self._inserts = conf.current().insert_tag  # read once, as Django's own middleware does, so "off" costs nothing
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response | Awaitable[Response]:
        if self._is_async:
            return self._answer_async(request)
        token = _enter(request)
        try:
            response: Response = self.get_response(request)  # type: ignore[assignment]
            if self._inserts and insertion.may_insert(request, response):
                _harmless(_insert, request, response)
        finally:
            _leave(token)
        if _has_work(request, response):
            _harmless(_after, request, response)
        return response

    async def _answer_async(self, request: HttpRequest) -> Response:
        if pending_cookie.is_marked(request) or _answer_is_hidden(request):
            # Do this now: a template that an async view renders can't use the database.
            await sync_to_async(_harmless)(_before, request)
        token = _enter(request)
        try:
            response = await cast("Awaitable[Response]", self.get_response(request))
            if self._inserts and insertion.may_insert(request, response):
                await sync_to_async(_harmless)(_insert, request, response)
        finally:
            _leave(token)
        if _has_work(request, response):
            await sync_to_async(_harmless)(_after, request, response)
        return response


def _has_work(request: HttpRequest, response: Response) -> bool:
    carried, meta = request.__dict__, request.META
    if _VISITOR in carried or _HANDOVER in carried or _AT_END in carried:
        return True
    if (query := meta.get("QUERY_STRING")) and (_CLICK_ID in query or _is_tagged(query)):
        return True
    if _PENDING not in meta.get("HTTP_COOKIE", ""):
        return False
    is_ours = waiting.is_waiting(request) or bool(page_response.by_header(request))
    return is_ours or untagged.is_suspect(request, response)


def _is_tagged(query: str) -> bool:
    return (_TAG in query or _ANY_CLICK_ID in query) and recording.may_be_landing(query)


def _answer_is_hidden(request: HttpRequest) -> bool:
    """Return whether this is a page, and only the server can read its visitor's consent (session, site's code)."""
    return is_told_by_server(conf.current()) and is_page_load(request)


@errors_without_values
def _before(request: HttpRequest) -> None:
    if not conf.current().enabled:
        return
    if pending_cookie.is_marked(request):
        page_response.of(request).prepare()
    if _answer_is_hidden(request):
        will_of(request)  # asked again later; session and user keep what is read here


@errors_without_values
def _insert(request: HttpRequest, response: Response) -> None:
    if conf.current().enabled:
        insertion.insert(request, response)


@errors_without_values
def _after(request: HttpRequest, response: Response) -> None:
    recorded.run_at_end(request)
    settings = conf.current()
    if not settings.enabled:
        return
    if not request.path_info.startswith(settings.excluded_paths):
        cookies.settle(response, visitor_of(request), settings)
        recording.note_request(request, response)
    if page_response.is_needed(request):
        page_response.of(request).settle(response)


def _harmless(step: Callable[..., None], *arguments: object) -> None:
    """Run a step, and log an error instead of breaking the response. With the setting STRICT the error is raised."""
    try:
        step(*arguments)
    except Exception:
        if conf.current().strict:
            raise
        logger.exception("tiktok: this response lacks what was kept for its visitor, because of an error")
