"""Notes pages that went out without the tag while an event waited for one: a template overrides the tag's block."""

from __future__ import annotations

import logging
from time import time

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tiktok_attribution.browser import page_data
from tiktok_attribution.delivery import turns
from tiktok_attribution.delivery.outbox import write_database

logger = logging.getLogger("tiktok_attribution")

LOADED = "_tiktok_loaded"  # on the request: pixels whose base code this page has
INLINE = "TiktokAnalyticsObject"
"""What TikTok's base code writes into a page that carries it. With PAGE_SCRIPT it stands in the static file instead,
and the page holds the data block alone."""
_SIGNS = (INLINE.encode(), page_data.CLASS.encode())

EVERY_SECONDS = turns.EVERY_SECONDS
_looked_at: dict[str, float] = {}  # views of this process, which the site's code bounds
_told: set[str] = set()


def lacks_tag(request: HttpRequest) -> bool:
    """Whether no tag was rendered for this request."""
    return LOADED not in request.__dict__


def holds_tag(response: HttpResponse) -> bool:
    """Whether the text has one all the same: a page, or a part of one, out of a cache."""
    return any(mark in response.content for mark in _SIGNS)


def is_suspect(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether this page should be looked at; at most once a minute for each view and process, by headers alone.

    A page in an iframe may lack the tag on purpose: the page around it has one.
    """
    if request.META.get("HTTP_SEC_FETCH_DEST", "document") != "document":
        return False
    if not lacks_tag(request) or response.streaming or response.status_code != 200:
        return False
    is_html = response.get("Content-Type", "").startswith("text/html")
    return is_html and time() - _looked_at.get(_view_of(request), 0) >= EVERY_SECONDS


def looks_untagged(request: HttpRequest, response: HttpResponseBase) -> bool:
    """The same with a look at the text, which counts as this minute's."""
    if not isinstance(response, HttpResponse) or not is_suspect(request, response):
        return False
    _looked_at[_view_of(request)] = time()
    return not response.has_header("Content-Encoding") and not holds_tag(response)


# A sign of life of its view is enough: a row that exists, a moment, no new table. Its name has 32 characters, so a long
# name of a view is cut there; the log has all of it.
def note(request: HttpRequest) -> None:
    """Keep the view's name for the diagnosis, and log it once a process."""
    view = _view_of(request)
    turns.beat(turns.untagged_name(view), using=write_database())
    if view not in _told:
        _told.add(view)
        logger.warning(
            "tiktok: a page of %s has no {%% tiktok_pixel %%}, though an event waits for a page. See whether its "
            'template overrides the block with the tag; {{ block.super }} keeps it, and so does "INSERT_TAG": True',
            view,
        )


def _view_of(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.view_name or "(no view)") if match else "(no view)"
