"""The visitor's key: a random number that landings give to a browser, in a first-party cookie.

Landings alone set it (`touches.recording`). It is read where a conversion or a snapshot is recorded (`key_for_event`),
and never on an ordinary page. Beside it stands a cookie that scripts can read, so that a page can see that there is
something to withdraw (`browser.consent_gate`).
"""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID, uuid4

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution import conf
from tiktok_attribution.conf import Settings
from tiktok_attribution.consent.types import Decision
from tiktok_attribution.visitor import cookies

COOKIE = "tiktok_visitor"
MARKER = "tiktok_landed"
MOST_COOKIE_DAYS = 400  # browsers keep no cookie longer
_LENGTH = 32  # hexadecimal digits
_ATTRIBUTE = "_tiktok_visitor_key"


# Decision: the key is signed. The number alone would identify the browser as well. But then anyone could choose one for
# another browser (a sub-domain, a network on plain http) or send a million of them; a cut or changed value is nothing.
# A signed value can still be copied from one browser into another: docs/security.md says what follows.
def read_key(request: HttpRequest) -> UUID | None:
    """Return the key that this browser has, None without one. A value that this site has not signed is none."""
    text = request.COOKIES.get(COOKIE, "")
    if not text or len(text) > 4 * _LENGTH:
        return None
    last: tuple[str, UUID | None] | None = request.__dict__.get(_ATTRIBUTE)
    if last is None or last[0] != text:  # a checkout asks several times, and a signature takes 20 µs
        last = request.__dict__[_ATTRIBUTE] = text, _unsigned(text)
    return last[1]


def _unsigned(text: str) -> UUID | None:
    with suppress(BadSignature, ValueError):
        value = Signer(salt=COOKIE).unsign(text)
        return UUID(hex=value) if len(value) == _LENGTH else None
    return None


def key_for_event(request: HttpRequest, will: Decision | None) -> UUID | None:
    """Return the key that goes beside an event or a snapshot: only with ATTRIBUTION, and if the visitor agreed."""
    if will is None or not may_attribute(will) or not conf.current().attribution.enabled:
        return None
    return read_key(request)


def may_attribute(will: Decision) -> bool:
    """Return whether this decision allows touches: consent, and no limited use of data."""
    return will.is_granted and not will.limited_data_use


def new_key() -> UUID:
    """Make the key of a browser: a random UUID."""
    # MariaDB's type for UUIDs refuses values that are not of the form of RFC 9562: about a quarter of all 16 bytes. So
    # it is one of version 4, in which 122 bits are random.
    return uuid4()


def put_key(request: HttpRequest, response: HttpResponseBase, key: UUID, marker: str, *, settings: Settings) -> None:
    """Set both cookies for KEEP_TOUCH_DAYS. `marker` is the value that scripts can read. The response gets private."""
    max_age = min(settings.keep_touch_days, MOST_COOKIE_DAYS) * 86_400
    text, domain = Signer(salt=COOKIE).sign(key.hex), settings.cookie_domain
    cookies.put(request, response, COOKIE, text, settings=settings, domain=domain, max_age=max_age)
    cookies.put(request, response, MARKER, marker, settings=settings, domain=domain, max_age=max_age, httponly=False)
    cookies.make_private(response)
    request.COOKIES.update({COOKIE: text, MARKER: marker})  # for what else this request stores


def is_marked(request: HttpRequest) -> bool:
    """Return whether this browser has a cookie of ours to take away."""
    return COOKIE in request.COOKIES or MARKER in request.COOKIES


def remove_key(request: HttpRequest, response: HttpResponseBase, *, settings: Settings) -> None:
    """Remove both cookies."""
    for name in (COOKIE, MARKER):
        if request.COOKIES.pop(name, None) is not None:
            cookies.remove(request, response, name, settings=settings, domain=settings.cookie_domain)
    cookies.make_private(response)
