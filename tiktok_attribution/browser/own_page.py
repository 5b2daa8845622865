"""Whether a page of this very site speaks, for endpoints that pages out of a shared cache call without a CSRF token."""

from __future__ import annotations

from django.http import HttpRequest

from tiktok_attribution.events.page_url import split_address


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
