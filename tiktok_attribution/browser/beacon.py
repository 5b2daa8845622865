"""The endpoint that tiktok.js reports to: a visitor's actions, receipts, and the question what waits for this visitor.

It answers 204 whatever it made of a report, so that it tells strangers nothing and no page has an error in its console;
why a report was not taken is in the log, at level INFO.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from hashlib import sha256
from time import time
from typing import Any
from urllib.parse import urlsplit

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tiktok_attribution import conf
from tiktok_attribution.browser import action, halves, receipt
from tiktok_attribution.browser.halves import keys_of
from tiktok_attribution.browser.handover import pending_events
from tiktok_attribution.browser.own_page import is_own_page
from tiktok_attribution.conversions.track import track
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.private_response import make_private
from tiktok_attribution.visitor.visitor import visitor_of

logger = logging.getLogger("tiktok_attribution")

MOST_BYTES = 16_384
# Apart from every id that is made of an object: else a stranger could take an order's id before the order has it.
_BROWSERS_ID = re.compile(r"web-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


# Without Django's CSRF token, for a page out of a shared cache has none of this visitor's. What the token proves is
# proved by headers that a page can't forge (`own_page`), and what may be said by the page's signature.
@csrf_exempt
@require_POST
@errors_without_values
def beacon(request: HttpRequest) -> HttpResponse:
    """Take one report of this site's own page."""
    answer: dict[str, Any] = {}
    try:
        if fault := _fault(request):
            logger.info("tiktok: a report of a browser was not taken: %s", fault)
        else:
            answer = _take(request, json.loads(request.body))
    except Exception as error:  # not logged with its words, which may hold what a stranger sent
        logger.info("tiktok: a report of a browser was not taken: %s", _words(error))
    response = JsonResponse(answer) if answer else HttpResponse(status=204)
    make_private(response, no_store=True)
    return response


beacon.__dict__["is_of_visitors"] = True  # though it is csrf_exempt, see Visitor.is_shopper


def _take(request: HttpRequest, report: object) -> dict[str, Any]:
    if not isinstance(report, Mapping):
        raise InvalidEvent("it is no object")
    if "action" in report:
        _act(request, report)
    if "receipt" in report:
        halves.note_confirmed(receipt.read(report["receipt"]))
    return pending_events(request) if "pending" in report else {}


def _act(request: HttpRequest, report: Mapping[str, Any]) -> None:
    """Record the server half, with the signals of this visitor; the page has made the pixel's call already."""
    allowed = action.read(report["action"], max_age_days=conf.current().action_days)
    event_id = report.get("event_id")
    if not isinstance(event_id, str) or not _BROWSERS_ID.fullmatch(event_id):
        raise InvalidEvent("its event_id is none that tiktok.js makes")
    if not visitor_of(request).is_shopper:
        raise InvalidEvent("the request is no visitor's")
    recorded = track(
        request,
        allowed.name,
        event_id=event_id,
        properties=allowed.with_given(report.get("properties")),
        pixels=list(allowed.pixel_codes),
        page_url=_page(request, report.get("page")),
    )
    if recorded is None or recorded.showing is None:
        return
    visitor_of(request).to_show.remove(recorded.showing)
    keys = keys_of(recorded.showing)
    halves.note_shown(keys)
    if report.get("live") is True:
        halves.note_confirmed(keys)


def _page(request: HttpRequest, address: object) -> str:
    """The page that the visitor was on; only the site's own are believed."""
    if isinstance(address, str) and len(address) <= 4000 and urlsplit(address).netloc == request.get_host():
        return address
    return request.build_absolute_uri("/")


def _fault(request: HttpRequest) -> str:
    """Why this request is not heard, "" if it is."""
    if not conf.current().enabled:
        return "ENABLED is False"
    if not is_own_page(request):
        return "it comes from another site, or does not say from which"
    if not 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= MOST_BYTES:
        return f"it has no length, or more than {MOST_BYTES} bytes"
    return "" if _is_within_rate(request) else "its sender has sent too many in this minute"


def _is_within_rate(request: HttpRequest) -> bool:
    """At most BEACONS_PER_MINUTE of one address.

    A cache that is down or keeps nothing lets everything through: then a signature and a length are still asked for,
    and a shop's events matter more than the chance that somebody attacks just now.
    """
    meta = request.META
    sender = visitor_of(request).user.ip or f"{meta.get('REMOTE_ADDR')} {meta.get('HTTP_X_FORWARDED_FOR')}"
    key = f"tiktok-beacon-{sha256(sender.encode()).hexdigest()[:32]}-{int(time() // 60)}"
    try:
        return bool(cache.add(key, 1, timeout=120) or cache.incr(key) <= conf.current().beacons_per_minute)
    except Exception:
        return True


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, InvalidEvent) else type(error).__name__
