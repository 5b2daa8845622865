"""Add TikTok's pixel to a Content-Security-Policy, in the form that Django 6 and django-csp 4 both accept.

    SECURE_CSP = with_tiktok({"default-src": [CSP.SELF], "script-src": [CSP.SELF, CSP.NONCE]})
    CONTENT_SECURITY_POLICY = {"DIRECTIVES": with_tiktok({"default-src": [SELF], "script-src": [SELF, NONCE]})}

It imports nothing of Django or this app, so that a settings module can import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The first three are from TikTok's help page on CSP (document 1739585704427522). The last is the host for the US.
SOURCES = (
    "https://analytics.tiktok.com",
    "https://analytics-ipv6.tiktokw.us",
    "https://ads.tiktok.com",
    "https://analytics.us.tiktok.com",
)
CSP_SOURCES: dict[str, list[str]] = {
    "script-src": [*SOURCES],
    "connect-src": [*SOURCES],
    "img-src": [*SOURCES],
}
"""Directives and their sources, to be added to a site's own; `with_tiktok` adds them."""

NONE = "'none'"


def with_tiktok(directives: Mapping[str, Any], sources: Mapping[str, Iterable[str]] = CSP_SOURCES) -> dict[str, Any]:
    """Return the site's directives with TikTok's sources added.

    A directive that the site leaves to `default-src` starts with the sources of `default-src`. `'none'` is removed
    where a source is added, because browsers ignore it beside others. With PAGE_SCRIPT, script-src needs `'self'`
    (or the host of the static files) and connect-src needs `'self'`: tiktok.js is a file that reports to the site.
    """
    merged = dict(directives)
    for name, added in sources.items():
        own = directives.get(name, directives.get("default-src")) or ()
        listed = [own] if isinstance(own, str) else own
        merged[name] = list(dict.fromkeys([*(source for source in listed if source != NONE), *added]))
    return merged
