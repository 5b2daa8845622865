"""Whether a page of this very site speaks, for endpoints that pages out of a shared cache call without a CSRF token.

INSERT_TAG: put the pixel tag before `</head>` of pages whose templates lack it.
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
    """By headers that browsers set by themselves and no page can forge.

    Sec-Fetch-Site is missing on plain http and in old browsers; Origin comes with every POST.
    """
    if site := request.META.get("HTTP_SEC_FETCH_SITE"):
        return bool(site == "same-origin")
    host = request.get_host()  # raises for a host that is not allowed, whatever the origin
    origin = split_address(request.META.get("HTTP_ORIGIN", ""))
    return origin is not None and origin.netloc == host


def hides_its_origin(request: HttpRequest) -> bool:
    """Whether the page may be this site's, with a policy that keeps its browser from saying so.

    `Origin: null` comes from plain http under `Referrer-Policy: no-referrer`, and as well from a sandboxed frame of any
    site. Nothing in the request tells the two apart (sendBeacon can set no header of its own), so it is not taken.
    """
    return request.META.get("HTTP_ORIGIN") == "null" and not request.META.get("HTTP_SEC_FETCH_SITE")


# What stands before the end of a head, of which comments and raw text may hold "</head>" without meaning it. Where the
# end tag is left out, which HTML allows, <body> ends the head. One pass that never goes back, so the time is linear.
_NEXT = re.compile(rb"<!--|<(script|style|title)\b|</head\s*>|<body[\s>]", re.IGNORECASE)
_END = re.compile(rb"</(script|style|title)[\s/>]", re.IGNORECASE)


def may_insert(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether this answer is a page that can take the tag; asks neither the database nor the site's code.

    A stream has no end that could be looked for, and compressed content no `</head>`. Not for a part of a page.
    """
    if not untagged.lacks_tag(request) or response.streaming or not is_page(response) or not is_page_load(request):
        return False
    if response.has_header("Content-Encoding"):
        _tell_of_encoding()
        return False
    return True


def insert(request: HttpRequest, response: HttpResponseBase) -> None:
    """Put the tag in, with all that it does in a template: nonce, consent, private pages, what waits.

    It must run while the middleware still stands around the request, and before anything compresses the content.
    """
    if not isinstance(response, HttpResponse) or _is_of_back_office(request) or untagged.holds_tag(response):
        return
    content, charset = response.content, response.charset
    place = end_of_head(content)
    if place is None or not _is_like_ascii(charset):
        return
    try:
        tag = pixel_text(request).encode(charset)
    except UnicodeEncodeError:  # a name in a charset that has no such letter
        return
    if not tag:  # a private page, or a preview
        return
    response.content = content[:place] + tag + content[place:]
    if response.has_header("Content-Length"):
        response.headers["Content-Length"] = str(len(response.content))
    # The view's ETag is of the page without the tag: the same page, no longer the same bytes (GZipMiddleware does so).
    if response.get("ETag", "").startswith('"'):
        response.headers["ETag"] = f"W/{response.headers['ETag']}"


def end_of_head(content: bytes) -> int | None:
    """Where `</head>` begins, or `<body>` where it is left out; None where there is neither."""
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
    """Behind the end tag of this element, -1 where there is none."""
    return next((end.end() for end in _END.finditer(content, place) if end[1].lower() == name), -1)


def _is_of_back_office(request: HttpRequest) -> bool:
    """The admin and EXCLUDED_PATHS get no tag; the diagnosis looks at a page as its visitors get it."""
    return INSPECTION not in request.META and caller_of(request) is Caller.BACK_OFFICE


@lru_cache(maxsize=32)
def _is_like_ascii(charset: str) -> bool:
    """Whether the bytes of "</head>" are these in the page's charset; not in UTF-16, nor in one that nobody knows."""
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
