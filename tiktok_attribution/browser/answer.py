"""Where a consent banner that answers without a page load tells the server: what was held goes, or is dropped.

The answer itself is read by the same rule as everywhere; the body of the request decides nothing. So the banner stores
its answer first, and a forged request can change nothing.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from tiktok_attribution import conf
from tiktok_attribution.browser import handover
from tiktok_attribution.browser.endpoint import Report, endpoint
from tiktok_attribution.browser.gate import Gate, is_told_by_server
from tiktok_attribution.visitor import cookies, matching
from tiktok_attribution.visitor.page import path_of_page
from tiktok_attribution.visitor.permission import is_private
from tiktok_attribution.visitor.visitor import PixelCall, visitor_of


def _no_calls(status: int) -> HttpResponse:
    return JsonResponse({"calls": []}, status=status)


@endpoint("consent", _no_calls)
def consent(request: HttpRequest, report: Report) -> HttpResponse:
    """`{"search": location.search, "page": location.href}` in, the calls that this visitor's page has to make out.

    Where no cookie tells the page the answer, `state` does: a page that is shown again asks for it.
    """
    settings = conf.current()
    waiting = handover.of(request)
    waiting.answer()
    is_seen = _is_seen(request, report, settings)
    may_show = is_seen and settings.mode == conf.DEVELOPER and handover.is_open(request)
    found = waiting.hand_over() if may_show else []
    data: dict[str, Any] = {"calls": [call for pixel_call in found for call in _calls(pixel_call, settings)]}
    if is_told_by_server(settings):
        data["state"] = Gate(settings, request).state
    response = JsonResponse(data)
    cookies.settle(response, visitor_of(request), settings, found=_click_id(report) if is_seen else "")
    return response


def _is_seen(request: HttpRequest, report: Report, settings: conf.Settings) -> bool:
    """False on a page under PRIVATE_PATHS: the answer counts there, and what waits is for the next page."""
    if "page" not in report:
        return True
    path = path_of_page(request, report["page"])
    return path is not None and not is_private(path, settings)


def _click_id(report: Report) -> str:
    """The click id of the page's address, which nobody was allowed to keep until now."""
    search = report.get("search")
    return matching.from_query(search.lstrip("?")) if isinstance(search, str) else ""


def _calls(pixel_call: PixelCall, settings: conf.Settings) -> list[list[Any]]:
    """[pixel or "", method, arguments], as the page's script runs them."""
    call = pixel_call.call
    found: list[list[Any]] = (
        [["", "identify", [pixel_call.identify]]] if pixel_call.identify and settings.user_matching else []
    )
    arguments = [call.name, dict(call.properties), {"event_id": call.event_id}]
    return [*found, *([code, "track", arguments] for code in pixel_call.pixel_codes)]
