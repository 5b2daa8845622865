"""Find pages that lack the pixel tag while an event waits for a page.

The usual cause is a template that overrides the block with the tag. Each such view is logged once a process, and the
diagnosis lists it.
"""

from __future__ import annotations

import logging
from time import time

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from tiktok_attribution.browser import page_data
from tiktok_attribution.delivery import turns
from tiktok_attribution.delivery.outbox import write_database

logger = logging.getLogger("tiktok_attribution")

LOADED = "_tiktok_loaded"  # attribute of the request: the pixels whose base code this page has
INLINE = "TiktokAnalyticsObject"
"""A name that TikTok's base code writes into a page. With PAGE_SCRIPT the static file has it, and the page has only the
data block."""
_SIGNS = (INLINE.encode(), page_data.CLASS.encode())

EVERY_SECONDS = turns.EVERY_SECONDS
_looked_at: dict[str, float] = {}  # by view; the number of the site's views limits its size
_told: set[str] = set()


def lacks_tag(request: HttpRequest) -> bool:
    """Return whether no pixel tag was rendered for this request."""
    return LOADED not in request.__dict__


def holds_tag(response: HttpResponse) -> bool:
    """Return whether the text contains a tag. It may come from a cached page or fragment."""
    return any(mark in response.content for mark in _SIGNS)


def is_suspect(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether this page should be searched for the tag. Looks only at headers.

    True at most once a minute for each view and process. A page in an iframe may lack the tag on purpose, because the
    page around it has one.
    """
    if request.META.get("HTTP_SEC_FETCH_DEST", "document") != "document":
        return False
    if not lacks_tag(request) or response.streaming or response.status_code != 200:
        return False
    is_html = response.get("Content-Type", "").startswith("text/html")
    return is_html and time() - _looked_at.get(_view_of(request), 0) >= EVERY_SECONDS


def looks_untagged(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether the text of a suspect page has no tag. Counts as this minute's search of the view."""
    if not isinstance(response, HttpResponse) or not is_suspect(request, response):
        return False
    _looked_at[_view_of(request)] = time()
    return not response.has_header("Content-Encoding") and not holds_tag(response)


# A heartbeat row of the view is enough, and needs no new table. Row names have 32 characters, so a long view name is
# cut there. The log has the whole name.
def note(request: HttpRequest) -> None:
    """Store the view's name for the diagnosis, and log it once a process."""
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
