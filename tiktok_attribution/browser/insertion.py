"""Insert the pixel tag before `</head>` if the setting INSERT_TAG is on and the template has no tag.

Also checks whether a request comes from a page of this site (`is_own_page`), for endpoints without a CSRF token.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tiktok_attribution.browser import untagged
from tiktok_attribution.browser.page_response import is_page
from tiktok_attribution.browser.tags import pixel_text
from tiktok_attribution.events.page_url import split_address
from tiktok_attribution.visitor.caller import Caller, caller_of
from tiktok_attribution.visitor.page import is_page_load
from tiktok_attribution.visitor.permission import INSPECTION

logger = logging.getLogger("tiktok_attribution")


def is_own_page(request: HttpRequest) -> bool:
    """Return whether a page of this site sent the request.

    Decision: the endpoints check `Sec-Fetch-Site` or `Origin`, which browsers set and no page can forge. A CSRF token
    on a cached page would be another visitor's. Sec-Fetch-Site is missing on plain http and in old browsers; browsers
    send Origin with every POST.
    """
    if site := request.META.get("HTTP_SEC_FETCH_SITE"):
        return bool(site == "same-origin")
    host = request.get_host()  # raises an error for a host that is not allowed, whatever the origin
    origin = split_address(request.META.get("HTTP_ORIGIN", ""))
    return origin is not None and origin.netloc == host


def hides_its_origin(request: HttpRequest) -> bool:
    """Return whether the page may be this site's, but its referrer policy hides the origin.

    On plain http, `Referrer-Policy: no-referrer` makes browsers send `Origin: null`. A sandboxed frame of any site
    sends the same. The request can't show which one it is (sendBeacon sets no header), so the report is not accepted.
    """
    return request.META.get("HTTP_ORIGIN") == "null" and not request.META.get("HTTP_SEC_FETCH_SITE")


# What can come before the end of a head. Comments and raw text may contain "</head>" that does not end it. HTML lets a
# page omit the end tag; then <body> ends the head. The search never goes back, so its time is linear.
_NEXT = re.compile(rb"<!--|<(script|style|title)\b|</head\s*>|<body[\s>]", re.IGNORECASE)
_END = re.compile(rb"</(script|style|title)[\s/>]", re.IGNORECASE)


def may_insert(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether the response is a page that can get the tag. Uses neither the database nor the site's code.

    False for a stream, whose end is not known, for compressed content, and for a part of a page.
    """
    if not untagged.lacks_tag(request) or response.streaming or not is_page(response) or not is_page_load(request):
        return False
    if response.has_header("Content-Encoding"):
        _tell_of_encoding()
        return False
    return True


def insert(request: HttpRequest, response: HttpResponseBase) -> None:
    """Insert the tag, with everything that it does in a template: nonce, consent, private pages, pending events.

    Call it while the middleware is still around the request, and before anything compresses the content.
    """
    if not isinstance(response, HttpResponse) or _is_of_back_office(request) or untagged.holds_tag(response):
        return
    content, charset = response.content, response.charset
    place = end_of_head(content)
    if place is None or not _is_like_ascii(charset):
        return
    try:
        tag = pixel_text(request).encode(charset)
    except UnicodeEncodeError:  # the tag contains a letter that the page's charset does not have
        return
    if not tag:  # a private page or a preview has no tag
        return
    response.content = content[:place] + tag + content[place:]
    if response.has_header("Content-Length"):
        response.headers["Content-Length"] = str(len(response.content))
    # The view's ETag is for the page without the tag. A weak ETag says: same page, other bytes. GZipMiddleware does so.
    if response.get("ETag", "").startswith('"'):
        response.headers["ETag"] = f"W/{response.headers['ETag']}"


def end_of_head(content: bytes) -> int | None:
    """Return the position of `</head>`, or of `<body>` if that is omitted; None if the page has neither."""
    place = 0
    while found := _NEXT.search(content, place):
        word = found.group().lower()
        if word == b"<!--":
            end = content.find(b"-->", found.end())
            place = end + 3
        elif found[1]:
            end = place = _end_of(found[1].lower(), content, found.end())
        else:
            return found.start()
        if end < 0:
            return None
    return None


def _end_of(name: bytes, content: bytes, place: int) -> int:
    """Return the position after the end tag of this element; -1 if there is none."""
    return next((end.end() for end in _END.finditer(content, place) if end[1].lower() == name), -1)


def _is_of_back_office(request: HttpRequest) -> bool:
    """Return whether the admin or EXCLUDED_PATHS answered. The diagnosis sees a page as visitors do."""
    return INSPECTION not in request.META and caller_of(request) is Caller.BACK_OFFICE


@lru_cache(maxsize=32)
def _is_like_ascii(charset: str) -> bool:
    """Return whether the charset writes "</head>" as ASCII does. False for UTF-16 and for unknown charsets."""
    try:
        return "</head>".encode(charset) == b"</head>"
    except LookupError:
        return False


@lru_cache(maxsize=1)
def _tell_of_encoding() -> None:
    logger.warning(
        "tiktok: INSERT_TAG can't put the tag into compressed content. In MIDDLEWARE, put GZipMiddleware (or what else "
        "compresses) before AttributionMiddleware, so that it runs last on an answer"
    )
