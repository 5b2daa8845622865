"""Record the landings of browsers that agreed, after the view, and do nothing on any other page.

`note_request` handles the request of a landing, `note_report` what a page from a shared cache reports of itself. Both
get the response, because the visitor's key goes with it. What is decided here is stored by `touches.storing`.
"""

from __future__ import annotations

from contextlib import suppress
from time import time
from urllib.parse import urljoin, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path

from tiktok_attribution import conf
from tiktok_attribution.conf import Settings
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.page_url import split_address
from tiktok_attribution.failures import report
from tiktok_attribution.touches import storing, waiting
from tiktok_attribution.touches.counting import MACROS, NO_CONSENT, counts
from tiktok_attribution.touches.landing import MOST_TEXT, OTHER_CLICK_IDS, Landing, read_landing
from tiktok_attribution.touches.withdrawal import withdraw
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.caller import account_of, is_staff, pixels_of_request
from tiktok_attribution.visitor.page import is_page_load, page_address, path_of_page
from tiktok_attribution.visitor.permission import is_private
from tiktok_attribution.visitor.visitor import visitor_of
from tiktok_attribution.visitor.visitor_key import is_marked, may_attribute

REDIRECTS = (301, 302, 303, 307, 308)
PAGES = ("text/html", "application/xhtml+xml")
CLICK_ID, TAGGED = "ttclid=", "utm_"


def may_be_landing(query: str) -> bool:
    """Return whether a raw query string may be that of a landing. Always False without ATTRIBUTION."""
    attribution = conf.current().attribution
    if not attribution.enabled:
        return False
    if CLICK_ID in query or TAGGED in query:
        return True
    return attribution.other_channels and any(f"{one}=" in query for one in OTHER_CLICK_IDS)


@errors_without_values
def note_request(request: HttpRequest, response: HttpResponseBase) -> None:
    """Record this request if it is a landing, and apply the visitor's answer to what an earlier landing has left."""
    # Decision: the row is written by the middleware, when the view has answered: outside of the view's transaction, so
    # that neither can undo the other, and before the response, so that the cookie with the key can go with it. The
    # signal `request_finished` would be too late for the cookie, and the connection is closed there.
    settings = conf.current()
    if not settings.attribution.enabled:
        return
    query = request.META.get("QUERY_STRING", "")
    try:
        withdraw_if_refused(request, response)
        if not (may_be_landing(query) or waiting.is_waiting(request)) or not _is_navigation(request, response):
            return
        _take_waiting(request, response, settings)
        if may_be_landing(query):
            landing = _read(request, query, _path(request, response, settings), settings)
            _note(request, response, landing, settings, query=query)
    except Exception as error:
        report(error, "a landing was not recorded")


@errors_without_values
def note_report(request: HttpRequest, response: HttpResponseBase, page: object, referrer: object) -> None:
    """Record the landing that a page of this site reports of itself, because a shared cache has answered for it.

    `page` is its whole address, `referrer` the page before, as the browser names it. The server decides everything
    again, as for a request. What is no landing is ignored.
    """
    settings = conf.current()
    if not settings.attribution.enabled:
        return
    try:
        withdraw_if_refused(request, response)
        _take_waiting(request, response, settings)
        parts, path = split_address(page), path_of_page(request, page)
        if parts is None or path is None or not may_be_landing(parts.query):
            return
        if path.startswith((*settings.private_paths, *settings.excluded_paths)):
            return
        landing = _read(request, parts.query, _clean(str(page), settings), settings, referrer=referrer)
        _note(request, response, landing, settings, query=parts.query, is_reported=True)
    except Exception as error:
        report(error, "the landing that a page reported was not recorded")


@errors_without_values
def withdraw_if_refused(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete the touches of a browser whose visitor refuses, and take its cookies away."""
    settings = conf.current()
    try:
        has_left = is_marked(request) or waiting.is_waiting(request)
        if settings.attribution.enabled and has_left and visitor_of(request).will.is_refusal:
            withdraw(request, response, settings=settings)
    except Exception as error:
        report(error, "the touches of a visitor who refuses were not deleted; the next page tries again")


def _take_waiting(request: HttpRequest, response: HttpResponseBase, settings: Settings) -> None:
    """Store the landing that waits in a browser whose visitor agrees.

    Only for a page, or for what a page reports of its landing: the answer itself arrives at the same moment as that
    report. Each would give the browser a key of its own.
    """
    if not waiting.is_waiting(request) or not may_attribute(visitor_of(request).will) or not _is_of_visitor(request):
        return
    found, shop = waiting.take(request, response, settings=settings), _shop_of(request, settings)
    if found is not None and shop is not None:
        landing, at, query = found
        storing.store(request, response, landing, shop=shop, at=at, query=query, settings=settings)


def _is_navigation(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a visitor has opened a page of the site by this request."""
    if request.method != "GET" or not is_page_load(request):
        return False
    if request.META.get("HTTP_SEC_FETCH_DEST", "document") != "document":  # a page in a frame is no landing
        return False
    is_page = response.get("Content-Type", "").startswith(PAGES) and response.status_code < 500
    return is_page or response.status_code in REDIRECTS


def _read(request: HttpRequest, query: str, path: str, settings: Settings, *, referrer: object = None) -> Landing:
    """Read the landing. `referrer` is what a page reports; by default it is the request's own."""
    meta, attribution = request.META, settings.attribution
    parts = split_address(meta.get("HTTP_REFERER", "") if referrer is None else referrer)
    is_hidden = parts is None and referrer is None
    return read_landing(
        query,
        path=path,
        referrer_host="" if parts is None else parts.hostname or "",
        own_hosts=_own_hosts(request, settings),
        is_from_elsewhere=is_hidden and meta.get("HTTP_SEC_FETCH_SITE") == "cross-site",
        parameters=attribution.parameters,
        other_channels=attribution.other_channels,
    )


def _own_hosts(request: HttpRequest, settings: Settings) -> list[str]:
    """Return the hosts of the site: this one first, that of SITE_URL, and all that share its cookies."""
    try:
        own = urlsplit(f"//{request.get_host()}").hostname or ""
    except (DisallowedHost, ValueError):
        own = ""
    found = [own, urlsplit(settings.site_url).hostname or ""]
    if settings.cookie_domain:
        found.append(f".{settings.cookie_domain.lstrip('.')}")
    return [one for one in found if one] or ["localhost"]


def _path(request: HttpRequest, response: HttpResponseBase, settings: Settings) -> str:
    """Return the path of the landing page, cleaned. After a redirect inside the site, of the page that it leads to."""
    own = _own_hosts(request, settings)
    address = f"https://{own[0]}{escape_uri_path(request.path)}"
    if response.status_code in REDIRECTS:
        with suppress(ValueError):  # of what is no address
            leads_to = urljoin(address, response.get("Location", ""))
            parts = split_address(leads_to)
            address = leads_to if parts is not None and parts.hostname in own else address
    return _clean(address, settings)


def _clean(address: str, settings: Settings) -> str:
    """Return the path of an address without personal data, secrets and MASKED_PATHS; "/" for a private one."""
    parts = split_address(page_address(address, settings))
    path = "/" if parts is None else parts.path or "/"
    return "/" if is_private(path, settings) else path[:MOST_TEXT]


def _note(
    request: HttpRequest,
    response: HttpResponseBase,
    landing: Landing,
    settings: Settings,
    *,
    query: str,
    is_reported: bool = False,
) -> None:
    """Store the landing, hold it, or only count it."""
    if (landing.traffic is None and not landing.macros) or storing.is_known(request, landing, query):
        return
    shop = _shop_of(request, settings) if _is_of_visitor(request) else None
    if shop is None:
        return
    now, will = int(time()), visitor_of(request).will
    # A page that reports itself may have come from this server: what is not stored has been counted then.
    if landing.macros and not is_reported:
        counts.add(shop, MACROS, now)
    if landing.traffic is None:
        return
    if may_attribute(will):
        storing.store(request, response, landing, shop=shop, at=now, query=query, settings=settings)
        return
    if settings.hold_click_id and not will.is_granted and not will.is_denied:
        waiting.put(request, response, landing.landing_path, query, at=now, settings=settings)
    if not is_reported:
        counts.add(shop, NO_CONSENT, now)


def _is_of_visitor(request: HttpRequest) -> bool:
    """Return whether a visitor sends this, and sees the page: no bot, prefetch, preview, back office or staff."""
    visitor = visitor_of(request)
    if visitor.circumstance is not None or not visitor.is_shopper:
        return False
    try:
        with protected(write_database()):
            account = account_of(request)
            return account is None or not is_staff(account)
    except Exception as error:  # the site's own way to sign in may raise anything
        report(error, "can't tell whether a landing is that of staff, so it is not recorded")
        return False


def _shop_of(request: HttpRequest, settings: Settings) -> str | None:
    """Return the first pixel of the request's shop, "" if none is configured. None for a shop without a pixel."""
    codes = pixels_of_request(request)
    if codes is None:
        codes = settings.pixel_code
    elif not codes:
        return None
    return codes[0] if codes else ""
