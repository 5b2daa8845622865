"""Whether a page of this very site speaks, for endpoints that pages out of a shared cache call without a CSRF token."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest


def is_own_page(request: HttpRequest) -> bool:
    """By headers that browsers set by themselves and no page can forge.

    Sec-Fetch-Site is missing on plain http and in old browsers; Origin comes with every POST.
    """
    if site := request.META.get("HTTP_SEC_FETCH_SITE"):
        return bool(site == "same-origin")
    return bool(urlsplit(request.META.get("HTTP_ORIGIN", "")).netloc == request.get_host())
