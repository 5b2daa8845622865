"""The endpoint that tiktok.js reports to: a visitor's actions, receipts, and the question what waits for this visitor.

It answers 204 whatever it made of a report, so that it tells strangers nothing and no page has an error in its console;
why a report was not taken is in the log, at level INFO.
"""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, JsonResponse

from tiktok_attribution import conf
from tiktok_attribution.browser import action, pending, receipt, stored_calls
from tiktok_attribution.browser.endpoint import TOO_MANY, Refused, Report, endpoint, is_crowded
from tiktok_attribution.browser.handover import pending_events
from tiktok_attribution.browser.stored_calls import keys_of
from tiktok_attribution.conversions.tracking import track_event
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.page import path_of_page
from tiktok_attribution.visitor.permission import PAGE_PATH
from tiktok_attribution.visitor.visitor import visitor_of

# Apart from every id that is made of an object: else a stranger could take an order's id before the order has it.
_BROWSERS_ID = re.compile(r"web-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _nothing(status: int) -> HttpResponse:
    return HttpResponse(status=204)


@endpoint("beacon", _nothing)
def beacon(request: HttpRequest, report: Report) -> HttpResponse:
    """Take one report of this site's own page."""
    if is_crowded() and not _is_fresh(request, report):
        raise Refused(TOO_MANY, "all visitors together have sent too many in this minute, and it is not newly signed")
    if "page" in report or "action" in report:
        _be_on(request, report.get("page"))
    if "action" in report:
        _act(request, report)
    if "receipt" in report:
        stored_calls.note_confirmed(receipt.read(report["receipt"]))
    waiting = pending_events(request) if "pending" in report else {}
    return JsonResponse(waiting) if waiting else _nothing(204)


beacon.__dict__["is_of_visitors"] = True  # though it is csrf_exempt, see visitor.caller.caller_of


def _is_fresh(request: HttpRequest, report: Report) -> bool:
    """Whether a page of today or yesterday has signed it.

    Who floods the site has to fetch a page for that, which the site's own limits see. Without this test one attacker
    with many addresses could use up what all visitors together may send, and silence them.
    """
    if "action" in report:
        try:
            action.read(report["action"], max_age_days=1)
        except InvalidEvent:
            return False
        return True
    return bool(receipt.read(report.get("receipt")) or ("pending" in report and pending.load(request)))


def _be_on(request: HttpRequest, page: object) -> None:
    """Judge the report as a request for the page that it names.

    The endpoint's own path is never private, while tiktok.js stays loaded when htmx or Turbo shows a page that is. A
    page that is not this site's, or none, is not replaced by another: nobody knows what it would have been.
    """
    path = path_of_page(request, page)
    if path is None:
        raise InvalidEvent("the page that it names is not one of this site")
    request.__dict__[PAGE_PATH] = path


def _act(request: HttpRequest, report: Report) -> None:
    """Record the server event, with the signals of this visitor; the page has made the pixel's call already."""
    allowed = action.read(report["action"], max_age_days=conf.current().action_days)
    event_id = allowed.event_id or report.get("event_id")
    if not isinstance(event_id, str) or not (allowed.event_id or _BROWSERS_ID.fullmatch(event_id)):
        raise InvalidEvent("its event_id is none that tiktok.js makes")
    if not visitor_of(request).is_shopper:
        raise InvalidEvent("the request is no visitor's")
    recorded = track_event(
        request,
        allowed.name,
        event_id=event_id,
        properties=allowed.with_given(report.get("properties")),
        pixels=list(allowed.pixel_codes),
        page_url=str(report["page"]),
    )
    if recorded is None or recorded.pixel_call is None:
        return
    visitor_of(request).to_show.remove(recorded.pixel_call)
    keys = keys_of(recorded.pixel_call)
    stored_calls.note_shown(keys)
    if report.get("live") is True:
        stored_calls.note_confirmed(keys)
