"""Where a consent banner that answers without a page load tells the server: what was held goes, or is dropped.

The answer itself is read by the same rule as everywhere; the body of the request decides nothing. So the banner stores
its answer first, and a forged request can change nothing.
"""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tiktok_attribution import conf
from tiktok_attribution.browser import handover
from tiktok_attribution.browser.own_page import is_own_page
from tiktok_attribution.visitor import click_id, click_id_cookie
from tiktok_attribution.visitor.showing import Showing
from tiktok_attribution.visitor.visitor import visitor_of

MOST_BYTES = 4000


@csrf_exempt  # a page from a shared cache has no token; `own_page` says as much
@never_cache
@require_POST
def consent(request: HttpRequest) -> HttpResponse:
    """`{"search": location.search}` in, the calls that this visitor's page has to make out."""
    settings = conf.current()
    if not is_own_page(request):
        return JsonResponse({"calls": []}, status=403)
    if not settings.enabled:
        return JsonResponse({"calls": []})
    waiting = handover.of(request)
    waiting.answer()
    found = waiting.hand_over() if handover.is_open(request) and settings.mode == conf.DEVELOPER else []
    response = JsonResponse({"calls": [call for showing in found for call in _calls(showing, settings)]})
    click_id_cookie.settle(response, visitor_of(request), settings, found=_click_id(request))
    return response


def _click_id(request: HttpRequest) -> str:
    """The click id of the page's address, which nobody was allowed to keep until now."""
    try:
        body = request.read(MOST_BYTES)
        search = json.loads(body).get("search", "")
    except (ValueError, AttributeError, OSError):
        return ""
    return click_id.from_query(search.lstrip("?")) if isinstance(search, str) else ""


def _calls(showing: Showing, settings: conf.Settings) -> list[list[Any]]:
    """[pixel or "", method, arguments], as the page's script runs them."""
    call = showing.call
    found: list[list[Any]] = [["", "identify", [showing.identify]]] if showing.identify and settings.identify else []
    arguments = [call.name, dict(call.properties), {"event_id": call.event_id}]
    return [*found, *([code, "track", arguments] for code in showing.pixel_codes)]
