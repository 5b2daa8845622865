"""Set and remove the app's cookies, and make a response private.

`put` and `remove` hold the attributes of every cookie of the app. `settle` and `remember` keep the click id in a
first-party cookie. It is set with consent and removed on a refusal. Before an answer it is set only if the site allows
it. `make_private` keeps a response that is one visitor's own out of every shared cache.
"""

from __future__ import annotations

from collections.abc import Container
from http.cookies import Morsel
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from tiktok_attribution.conf import Settings
from tiktok_attribution.visitor.matching import COOKIE, PARAMETER
from tiktok_attribution.visitor.visitor import Visitor

if TYPE_CHECKING:
    PlainMorsel = Morsel[str]
else:
    PlainMorsel = Morsel


# With IN_FRAMES, cookies are `SameSite=None; Secure; Partitioned`, so that a browser keeps them if the site is shown in
# another site's frame. Browsers refuse third-party cookies that are not partitioned (CHIPS). Python's cookies know the
# attribute from 3.14 on, and Django's `set_cookie` does not. So this Morsel writes it. To change Python's own class
# would change the cookies of every library in the process.
class PartitionedMorsel(PlainMorsel):
    """A cookie that belongs to the site in whose frame it was set."""

    def OutputString(self, attrs: Container[str] | None = None) -> str:  # noqa: N802 -- the standard library's name
        return f"{super().OutputString(attrs)}; Partitioned"


def put(
    request: HttpRequest,
    response: HttpResponseBase,
    name: str,
    value: str,
    *,
    settings: Settings,
    domain: str,
    max_age: int | None,
    httponly: bool = True,
) -> None:
    """Set a cookie for the whole site.

    `max_age` is in seconds; None keeps the cookie while the browser is open. `domain` "" means this host alone.
    """
    secure = is_secure(request)
    if settings.in_frames and secure:  # browsers refuse None without Secure
        response.set_cookie(name, value, max_age, None, "/", domain or None, secure, httponly, "None")
        _partition(response, name)
    else:
        response.set_cookie(name, value, max_age, None, "/", domain or None, secure, httponly, "Lax")


def remove(request: HttpRequest, response: HttpResponseBase, name: str, *, settings: Settings, domain: str) -> None:
    """Remove a cookie, with the attributes that it was set with. Otherwise a browser keeps it."""
    in_frames = settings.in_frames and is_secure(request)
    response.delete_cookie(name, domain=domain or None, samesite="None" if in_frames else "Lax")
    if in_frames:
        _partition(response, name)


def is_secure(request: HttpRequest) -> bool:
    """Return whether cookies are Secure: by the request's own scheme, or because the site's session cookie is."""
    return bool(request.is_secure() or django_settings.SESSION_COOKIE_SECURE)


def _partition(response: HttpResponseBase, name: str) -> None:
    plain = response.cookies[name]
    morsel = PartitionedMorsel()
    morsel.set(name, plain.value, plain.coded_value)
    morsel.update(plain)
    response.cookies[name] = morsel


def settle(response: HttpResponseBase, visitor: Visitor, settings: Settings, *, found: str = "") -> None:
    """Set or remove the click id cookie after the view. `found` is a click id from elsewhere than this address."""
    request = visitor.request
    stored = request.COOKIES.get(COOKIE, "")
    found = found or (visitor.landing_click_id if PARAMETER in request.META.get("QUERY_STRING", "") else "")
    if not found and not stored:
        return
    decision = visitor.decision
    if decision.is_granted:
        if found and found != stored:
            remember(response, visitor.request, found, settings)
    elif decision.is_refusal:
        if stored:
            remove(visitor.request, response, COOKIE, settings=settings, domain=settings.cookie_domain)
            make_private(response)
    elif not decision.is_denied and settings.hold_click_id and found and found != stored:
        remember(response, visitor.request, found, settings, until_closed=True)


def remember(
    response: HttpResponseBase, request: HttpRequest, click_id: str, settings: Settings, *, until_closed: bool = False
) -> None:
    """Set the click id cookie. A new click replaces an old one. The response becomes private.

    `until_closed`: keep it only while the browser is open, because the visitor has not answered yet.
    """
    max_age = None if until_closed else settings.click_id_days * 86_400
    domain = settings.cookie_domain
    put(request, response, COOKIE, click_id, settings=settings, domain=domain, max_age=max_age)
    make_private(response)


# A cache that finds its own header ignores Cache-Control (RFC 9213, 2.1; Fastly and Akamai do the same with theirs). So
# `private` alone does not keep a page with one visitor's hashes out of every CDN. A header that the site has set gets
# its own word for "not stored". It is not removed: without it, some caches follow their own rules instead of
# Cache-Control. A missing header is not added. The site is responsible for what an outer middleware or the CDN's own
# rules set later (docs/browser.md).
_NOT_STORED = {
    "surrogate-control": "private, no-store, max-age=0",  # Fastly, Varnish; W3C Edge Architecture knows no-store
    "edge-control": "no-store",  # Akamai
    "x-accel-expires": "0",  # nginx
    "x-litespeed-cache-control": "no-cache",
}
_TARGETED = "-cache-control"  # CDN-, Cloudflare-CDN-, Vercel-CDN-, Netlify-CDN- and others by RFC 9213

# Directives by which a shared cache may still store or reuse a page. `patch_cache_control` removes `public` itself.
_SHARED = ("s-maxage", "stale-while-revalidate", "stale-if-error", "immutable")


def make_private(response: HttpResponseBase, **directives: Any) -> None:
    """Keep the response out of every shared cache. `directives` are further ones of Cache-Control, such as max_age."""
    # Decision: pages stay cacheable. With nothing pending, the tag's text depends on settings alone, and touches
    # neither session nor cookies. A page that shows something of one visitor becomes private here.
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
