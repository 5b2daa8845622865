"""The endpoints that the page calls: `beacon` for tiktok.js, and `consent` for a consent banner.

`endpoint` guards every view: it checks the sender, the size and the rate of a request. Malformed input is logged at
level INFO and never becomes an error page, which would send a mail to ADMINS as often as a stranger likes.

`beacon` takes actions, receipts and landings, and returns what waits for this visitor. It answers 204 whatever the
outcome, so strangers learn nothing and the page's console shows no error. The log says at level INFO why a report was
refused.

`consent` releases or suppresses the events that await consent, after an answer without a page load. It reads the answer
by the site's consent rule and never from the request's body. So the banner must store the answer first, and a forged
request can change nothing.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tiktok_attribution import conf
from tiktok_attribution.browser import page_response, pending_cookie, signed_events, stored_calls
from tiktok_attribution.browser.consent_gate import Gate, is_told_by_server
from tiktok_attribution.browser.insertion import hides_its_origin, is_own_page
from tiktok_attribution.browser.page_response import pending_events
from tiktok_attribution.browser.stored_calls import keys_of
from tiktok_attribution.conversions.tracking import track_event
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import reason
from tiktok_attribution.touches import recording
from tiktok_attribution.visitor import cookies, matching
from tiktok_attribution.visitor.page import path_of_page
from tiktok_attribution.visitor.permission import PAGE_PATH, is_private
from tiktok_attribution.visitor.rate_limit import count_one, sender_key
from tiktok_attribution.visitor.visitor import PixelCall, visitor_of

logger = logging.getLogger("tiktok_attribution")

MOST_BYTES = 16_384
OFF, MALFORMED, FOREIGN, TOO_MANY = 200, 400, 403, 429
# Errors that reading a request can raise. Causes: text that is no JSON, number or address; bodies that are cut off or
# too large; hosts that are not allowed; thousands of nested brackets.
_OF_INPUT = (InvalidEvent, ValueError, RecursionError, OSError, SuspiciousOperation)

Report = Mapping[str, Any]


class Refused(Exception):
    """Raised for a request that an endpoint does not accept; `status` says why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def endpoint(
    kind: str, answer: Callable[[int], HttpResponse]
) -> Callable[[Callable[[HttpRequest, Report], HttpResponse]], Callable[[HttpRequest], HttpResponse]]:
    """Turn a function of a request and its JSON object into a view. `answer` makes the response to a refused request.

    Decision: no CSRF token, because a page from a shared cache has none of this visitor's. Headers that a page can't
    forge prove the same (`is_own_page`).
    """

    def decorate(take: Callable[[HttpRequest, Report], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
        @csrf_exempt
        @never_cache
        @require_POST
        @errors_without_values
        @wraps(take)
        def view(request: HttpRequest) -> HttpResponse:
            try:
                return take(request, _heard(request, kind))
            except Refused as refused:
                logger.info("tiktok: a browser report was refused: %s", refused)
                return answer(refused.status)
            except _OF_INPUT as error:  # don't log its text, which may contain what a stranger sent
                words = str(error) if isinstance(error, InvalidEvent) else type(error).__name__
                logger.info("tiktok: a browser report was refused: %s", words)
            except Exception as error:
                logger.error("tiktok: a browser report was refused: %s", reason(error))  # noqa: TRY400 -- its text may hold data
            return answer(MALFORMED)

        return view

    return decorate


def _heard(request: HttpRequest, kind: str) -> Report:
    if not conf.current().enabled:
        raise Refused(OFF, "ENABLED is False")
    if not is_own_page(request):
        if hides_its_origin(request):
            _tell_of_hidden_origin()
        raise Refused(FOREIGN, "it comes from another site, or does not name its site")
    if not 0 <= int(request.META.get("CONTENT_LENGTH") or 0) <= MOST_BYTES:
        raise Refused(MALFORMED, f"it has more than {MOST_BYTES} bytes")
    if not _is_within_rate(request, kind):
        raise Refused(TOO_MANY, "its sender has sent too many reports in this minute")
    report = json.loads(request.body or b"{}")
    if not isinstance(report, Mapping):
        raise Refused(MALFORMED, "it is no object")
    return report


def _is_within_rate(request: HttpRequest, kind: str) -> bool:
    """Return whether the sender is within BEACONS_PER_MINUTE. Each endpoint has its own count."""
    settings = conf.current()
    is_within = count_one(f"tiktok-{kind}-{sender_key(request)}") <= settings.beacons_per_minute
    if not is_within and request.META.get("HTTP_X_FORWARDED_FOR") and not settings.trusted_proxies:
        _tell_of_proxy()
    return is_within


def is_crowded() -> bool:
    """Count this report, and return whether all visitors together are over BEACONS_PER_MINUTE_ALL in this minute."""
    return count_one("tiktok-all") > conf.current().beacons_per_minute_all


@lru_cache(maxsize=1)
def _tell_of_proxy() -> None:
    """Log once a process that TRUSTED_PROXIES is missing: all visitors behind the proxy count as one sender then."""
    logger.warning(
        "tiktok: more than BEACONS_PER_MINUTE reports came from one address, with X-Forwarded-For. If that is your "
        "proxy's, name it in TRUSTED_PROXIES: until then all visitors behind it count as one sender."
    )


@lru_cache(maxsize=1)
def _tell_of_hidden_origin() -> None:
    """Log once a process that the site's own pages hide their origin: none of their reports is accepted."""
    logger.warning(
        'tiktok: reports come with "Origin: null" and are not taken. If they are those of your own pages, these come '
        "over plain http with Referrer-Policy: no-referrer. Use https, or the policy same-origin."
    )


# Different from every id that is made of an object.
# Decision: a stranger who sent `order-43` first would make the order's own event a repeat.
_BROWSERS_ID = re.compile(r"web-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _nothing(status: int) -> HttpResponse:
    return HttpResponse(status=204)


@endpoint("beacon", _nothing)
def beacon(request: HttpRequest, report: Report) -> HttpResponse:
    """Take one report of a page of this site: an action, a receipt, a landing, or the question what waits."""
    if is_crowded() and not _is_fresh(request, report):
        raise Refused(
            TOO_MANY, "all visitors together have sent too many reports in this minute, and its signature is not recent"
        )
    if "page" in report or "action" in report:
        _be_on(request, report.get("page"))
    if "action" in report:
        _act(request, report)
    if "receipt" in report:
        stored_calls.note_confirmed(stored_calls.read_receipt(report["receipt"]))
    waiting = pending_events(request) if "pending" in report else {}
    response = JsonResponse(waiting) if waiting else _nothing(204)
    if "landing" in report:
        recording.note_report(request, response, report.get("page"), report["landing"])
    return response


beacon.__dict__["is_of_visitors"] = True  # although it is csrf_exempt; see visitor.caller.caller_of


def _is_fresh(request: HttpRequest, report: Report) -> bool:
    """Return whether a page of today or yesterday has signed the report.

    An attacker then has to fetch a page of the site first, where the site's own limits apply. Without this check, one
    attacker with many addresses could use up the limit of all visitors, and no visitor could report any more.
    """
    if "action" in report:
        try:
            signed_events.read(report["action"], max_age_days=1)
        except InvalidEvent:
            return False
        return True
    return bool(
        stored_calls.read_receipt(report.get("receipt")) or ("pending" in report and pending_cookie.load(request))
    )


def _be_on(request: HttpRequest, page: object) -> None:
    """Treat the report as a request for the page that it names. Raises InvalidEvent if that is no page of this site.

    The endpoint's own path is never private, but tiktok.js stays loaded when htmx or Turbo shows a private page. There
    is no default for a missing or foreign page, because the right one is not known.
    """
    path = path_of_page(request, page)
    if path is None:
        raise InvalidEvent("the page that it names does not belong to this site")
    request.__dict__[PAGE_PATH] = path


def _act(request: HttpRequest, report: Report) -> None:
    """Record the server event with this visitor's signals. The page has made the pixel call already."""
    allowed = signed_events.read(report["action"], max_age_days=conf.current().action_days)
    event_id = allowed.event_id or report.get("event_id")
    if not isinstance(event_id, str) or not (allowed.event_id or _BROWSERS_ID.fullmatch(event_id)):
        raise InvalidEvent("its event_id does not have the form that tiktok.js makes")
    if not visitor_of(request).is_shopper:
        raise InvalidEvent("the request does not come from a visitor")
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


def _no_calls(status: int) -> HttpResponse:
    return JsonResponse({"calls": []}, status=status)


@endpoint("consent", _no_calls)
def consent(request: HttpRequest, report: Report) -> HttpResponse:
    """Apply the visitor's consent answer, and return the calls that the page has to make.

    The page sends `{"search": location.search, "page": location.href}`. If the page can't read the answer from a
    cookie, the response has it as `state`; a page that is shown again asks for it. A landing that the visitor has
    agreed to is not recorded here: its page reports it to `beacon`, at the same moment.
    """
    settings = conf.current()
    waiting = page_response.of(request)
    waiting.answer()
    is_seen = _is_seen(request, report, settings)
    may_show = is_seen and settings.mode == conf.DEVELOPER and page_response.is_open(request)
    found = waiting.hand_over() if may_show else []
    data: dict[str, Any] = {"calls": [call for pixel_call in found for call in _calls(pixel_call, settings)]}
    if is_told_by_server(settings):
        data["state"] = Gate(settings, request).state
    response = JsonResponse(data)
    cookies.settle(response, visitor_of(request), settings, found=_click_id(report) if is_seen else "")
    recording.withdraw_if_refused(request, response)
    return response


def _is_seen(request: HttpRequest, report: Report, settings: conf.Settings) -> bool:
    """Return False for a page under PRIVATE_PATHS.

    The answer counts there, but pending events wait for another page.
    """
    if "page" not in report:
        return True
    path = path_of_page(request, report["page"])
    return path is not None and not is_private(path, settings)


def _click_id(report: Report) -> str:
    """Return the click id in the page's address, which could not be stored before the visitor agreed."""
    search = report.get("search")
    return matching.from_query(search.lstrip("?")) if isinstance(search, str) else ""


def _calls(pixel_call: PixelCall, settings: conf.Settings) -> list[list[Any]]:
    """Return calls for the page's script: lists of pixel code (or "" for all), method and arguments."""
    call = pixel_call.call
    found: list[list[Any]] = (
        [["", "identify", [pixel_call.identify]]] if pixel_call.identify and settings.user_matching else []
    )
    arguments = [call.name, dict(call.properties), {"event_id": call.event_id}]
    return [*found, *([code, "track", arguments] for code in pixel_call.pixel_codes)]
