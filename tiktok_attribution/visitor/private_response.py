"""Makes a response one visitor's own: for this browser alone, whatever shared cache stands between."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

# A cache that finds a header of its own does not look at Cache-Control (RFC 9213, 2.1; Fastly and Akamai do the same
# with theirs), so `private` alone keeps a page with one visitor's hashes out of no CDN. A header that the site has set
# is overwritten with that header's own word for "not stored", and not removed: without it some of these caches go by
# rules of their own instead of Cache-Control. A header that is not there is not added; what an outer middleware or the
# CDN's own rules say later is the site's affair (docs/browser.md).
_NOT_STORED = {
    "surrogate-control": "private, no-store, max-age=0",  # Fastly, Varnish; W3C Edge Architecture knows no-store
    "edge-control": "no-store",  # Akamai
    "x-accel-expires": "0",  # nginx
    "x-litespeed-cache-control": "no-cache",
}
_TARGETED = "-cache-control"  # CDN-, Cloudflare-CDN-, Vercel-CDN-, Netlify-CDN- and whatever comes by RFC 9213

# Directives of Cache-Control by which a shared cache may store or reuse a page all the same. `public` goes by itself.
_SHARED = ("s-maxage", "stale-while-revalidate", "stale-if-error", "immutable")


def make_private(response: HttpResponseBase, **directives: Any) -> None:
    """Keep the response out of every shared cache. `directives` are more of Cache-Control's own, such as max_age."""
    for name in list(response.headers):
        folded = name.lower()
        if folded in _NOT_STORED:
            response.headers[name] = _NOT_STORED[folded]
        elif folded.endswith(_TARGETED):
            response.headers[name] = "private, no-store"
    if "Expires" in response.headers:  # an old cache knows this header alone; a browser goes by max-age
        del response.headers["Expires"]
    if written := response.headers.get("Cache-Control"):
        parts = filter(None, map(str.strip, written.split(",")))
        response.headers["Cache-Control"] = ", ".join(
            part for part in parts if part.partition("=")[0].strip().lower() not in _SHARED
        )
    patch_cache_control(response, private=True, **directives)
