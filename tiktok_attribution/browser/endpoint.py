"""The guard of every endpoint: who is heard, how often, and that nothing a stranger sends makes an error.

One for all, so that an endpoint to come can't forget a part of it. What is malformed is answered and noted at level
INFO; an error page would also be a mail to ADMINS, as often as anybody likes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from time import time
from typing import Any

from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tiktok_attribution import conf
from tiktok_attribution.browser.own_page import hides_its_origin, is_own_page
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import reason
from tiktok_attribution.visitor.request_data import sender

logger = logging.getLogger("tiktok_attribution")

MOST_BYTES = 16_384
OFF, MALFORMED, FOREIGN, TOO_MANY = 200, 400, 403, 429
# What reading a request raises: JSON, numbers and addresses that are none; bodies that are cut off or too large; hosts
# that are not allowed; thousands of brackets.
_OF_INPUT = (InvalidEvent, ValueError, RecursionError, OSError, SuspiciousOperation)

Report = Mapping[str, Any]


class Refused(Exception):
    """This request is not heard; `status` says why, for an endpoint that tells."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def endpoint(
    kind: str, answer: Callable[[int], HttpResponse]
) -> Callable[[Callable[[HttpRequest, Report], HttpResponse]], Callable[[HttpRequest], HttpResponse]]:
    """Make a view of a function of a request and its JSON object; `answer` gives the response to what is refused.

    Without Django's CSRF token, for a page out of a shared cache has none of this visitor's. What the token proves is
    proved by headers that a page can't forge (`own_page`).
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
                logger.info("tiktok: a report of a browser was not taken: %s", refused)
                return answer(refused.status)
            except _OF_INPUT as error:  # not logged with its words, which may hold what a stranger sent
                words = str(error) if isinstance(error, InvalidEvent) else type(error).__name__
                logger.info("tiktok: a report of a browser was not taken: %s", words)
            except Exception as error:
                logger.error("tiktok: a report of a browser was not taken: %s", reason(error))  # noqa: TRY400 -- its text may hold data
            return answer(MALFORMED)

        return view

    return decorate


def _heard(request: HttpRequest, kind: str) -> Report:
    if not conf.current().enabled:
        raise Refused(OFF, "ENABLED is False")
    if not is_own_page(request):
        if hides_its_origin(request):
            _tell_of_hidden_origin()
        raise Refused(FOREIGN, "it comes from another site, or does not say from which")
    if not 0 <= int(request.META.get("CONTENT_LENGTH") or 0) <= MOST_BYTES:
        raise Refused(MALFORMED, f"it has more than {MOST_BYTES} bytes")
    if not _is_within_rate(request, kind):
        raise Refused(TOO_MANY, "its sender has sent too many in this minute")
    report = json.loads(request.body or b"{}")
    if not isinstance(report, Mapping):
        raise Refused(MALFORMED, "it is no object")
    return report


def _is_within_rate(request: HttpRequest, kind: str) -> bool:
    """At most BEACONS_PER_MINUTE of one sender, for each endpoint: an answer is heard after many clicks, too."""
    settings, meta = conf.current(), request.META
    peer, forwarded = str(meta.get("REMOTE_ADDR") or ""), str(meta.get("HTTP_X_FORWARDED_FOR") or "")
    # With the site's key: all IPv4 addresses can be tried against a plain hash.
    who = sender(peer, forwarded, settings.trusted_proxies)
    whose = salted_hmac("tiktok_sender", who, algorithm="sha256").hexdigest()[:32]
    is_within = _counted(f"tiktok-{kind}-{whose}") <= settings.beacons_per_minute
    if not is_within and forwarded and not settings.trusted_proxies:
        _tell_of_proxy()
    return is_within


def is_crowded() -> bool:
    """Whether all visitors together have sent more than BEACONS_PER_MINUTE_ALL in this minute; counts this report."""
    return _counted("tiktok-all") > conf.current().beacons_per_minute_all


def _counted(key: str) -> int:
    """How many in this minute, with this one; 0 where that is not known.

    A cache that is down or keeps nothing lets everything through: then a signature and a length are still asked for,
    and a shop's events matter more than the chance that somebody attacks just now.
    """
    key = f"{key}-{int(time() // 60)}"
    try:
        return 1 if cache.add(key, 1, timeout=120) else cache.incr(key)
    except Exception:
        return 0


@lru_cache(maxsize=1)
def _tell_of_proxy() -> None:
    """Once a process: behind a proxy that is not named, all visitors are one sender, and most of them go unheard."""
    logger.warning(
        "tiktok: more than BEACONS_PER_MINUTE reports came from one address, with X-Forwarded-For. If that is your "
        "proxy's, name it in TRUSTED_PROXIES: until then all visitors behind it count as one sender."
    )


@lru_cache(maxsize=1)
def _tell_of_hidden_origin() -> None:
    """Once a process: no report of such a site's visitors is ever taken."""
    logger.warning(
        'tiktok: reports come with "Origin: null" and are not taken. If they are those of your own pages, these come '
        "over plain http with Referrer-Policy: no-referrer. Use https, or the policy same-origin."
    )
