"""Whether a page of this very site speaks, for endpoints that pages out of a shared cache call without a CSRF token."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.http import HttpRequest
from django.urls import get_script_prefix

from tiktok_attribution import conf
from tiktok_attribution.events.addresses import split_address

MOST_CHARACTERS = 4000


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


def path_of_page(request: HttpRequest, address: object) -> str | None:
    """The path of a page that a report names, as `request.path_info` would have it; None where it is not this site's.

    SITE_URL counts as well as the request's host, which behind some proxies is an inner name.
    """
    parts = split_address(address) if isinstance(address, str) and len(address) <= MOST_CHARACTERS else None
    if parts is None:
        return None
    if parts.netloc not in (request.get_host(), urlsplit(conf.current().site_url).netloc):
        return None
    path, prefix = unquote(parts.path) or "/", get_script_prefix()
    return f"/{path.removeprefix(prefix)}" if path.startswith(prefix) else path
