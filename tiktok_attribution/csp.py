"""What TikTok's pixel needs of a Content-Security-Policy, in the form that Django 6 and django-csp 4 both take.

    SECURE_CSP = with_tiktok({"default-src": [CSP.SELF], "script-src": [CSP.SELF, CSP.NONCE]})
    CONTENT_SECURITY_POLICY = {"DIRECTIVES": with_tiktok({"default-src": [SELF], "script-src": [SELF, NONCE]})}

Imports nothing, so that a settings module may import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The first three as TikTok's help page on CSP lists them (document 1739585704427522); the last is the US host.
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
"""Directives and their sources, to be added to a site's own; `with_tiktok` does it."""

NONE = "'none'"


def with_tiktok(directives: Mapping[str, Any], sources: Mapping[str, Iterable[str]] = CSP_SOURCES) -> dict[str, Any]:
    """The site's directives and TikTok's sources. What the site leaves to `default-src` keeps its sources from there.

    `'none'` goes where something is added, for browsers ignore it beside others. PAGE_SCRIPT needs `'self'` (or the
    host of the static files) in script-src, and `'self'` in connect-src: tiktok.js is a file and reports to the site.
    """
    merged = dict(directives)
    for name, added in sources.items():
        own = directives.get(name, directives.get("default-src")) or ()
        listed = [own] if isinstance(own, str) else own
        merged[name] = list(dict.fromkeys([*(source for source in listed if source != NONE), *added]))
    return merged
