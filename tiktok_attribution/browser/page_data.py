"""Build the data blocks of a page without inline code. The static file tiktok.js reads them.

A block is JSON in an element that no browser runs, so a Content-Security-Policy does not block it.

Decision: PAGE_SCRIPT is one switch and not three. Clicks, receipts and a page without inline code all need the same
static file. It finds new blocks with a MutationObserver, so htmx and Turbo need no adapter (htmx renamed its events
between versions 2 and 4).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tiktok_attribution import conf
from tiktok_attribution.browser import consent_gate, stored_calls
from tiktok_attribution.browser.consent_gate import Gate, private_prefixes
from tiktok_attribution.browser.csp_nonce import nonce_of
from tiktok_attribution.browser.inline_code import options_of, safe_json
from tiktok_attribution.browser.signed_events import Later
from tiktok_attribution.setting_validation import TURBO
from tiktok_attribution.visitor.visitor import PixelCall

logger = logging.getLogger("tiktok_attribution")

CLASS = "tiktok-attribution"
FILE = "tiktok_attribution/tiktok.js"
URL_NAME = "tiktok_attribution:beacon"


def head(
    codes: Sequence[str], pixel_calls: Sequence[PixelCall], request: HttpRequest | None, unseen: Sequence[Later] = ()
) -> SafeString:
    """Return the page's data block, the gate if any visitor may refuse, and the static file."""
    nonce = nonce_of(request)
    gate = Gate(conf.current(), request)
    gate_text = _gate(gate) + _file(consent_gate.FILE, nonce) if gate.has_work else ""
    return mark_safe(element(content(codes, pixel_calls, unseen)) + gate_text + _file(FILE, nonce))  # noqa: S308 -- all escaped


def _gate(gate: Gate) -> str:
    return f'<script type="application/json" id="tiktok-gate">{safe_json(gate.rule())}</script>'


def element(data: dict[str, Any]) -> SafeString:
    """Return the script element of a data block."""
    return mark_safe(f'<script type="application/json" class="{CLASS}">{safe_json(data)}</script>')  # noqa: S308


def content(codes: Sequence[str], pixel_calls: Sequence[PixelCall], unseen: Sequence[Later] = ()) -> dict[str, Any]:
    """Return the data for tiktok.js: pixels, calls in order, the URL to report to, receipt and unseen events."""
    settings = conf.current()
    data: dict[str, Any] = {
        "pixels": list(codes),
        "host": settings.pixel_host,
        "options": options_of(settings.history_observer is True, settings.limited_data_use),
    }
    # Decision: tiktok.js counts Turbo's visits, because a link that the site redirects looks like two visits to a
    # script that watches the history. It is a setting: when the pixel is loaded, it is not known yet whether Turbo will
    # come.
    if settings.history_observer == TURBO:
        data["turbo"] = True
    if url := beacon_url():
        data["url"] = url
    if settings.mode == conf.STANDARD:
        data["quiet"] = True
    if settings.attribution.enabled:
        data["landings"] = True
    if settings.unsigned_actions:
        data["unsigned"] = True
    if prefixes := private_prefixes(settings):
        data["private"] = prefixes
    if pixel_calls:
        data["calls"] = list(calls(pixel_calls, codes))
        if url and settings.browser_receipts and (signed := stored_calls.receipt_of(pixel_calls)):
            data["receipt"] = signed
    if unseen:
        data["unseen"] = [one.action for one in unseen]
    return data


def calls(pixel_calls: Iterable[PixelCall], codes: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Yield `identify` and `track` calls for tiktok.js. `identify` comes before the first `track` that uses it.

    A call names single pixels only if it is not for all pixels of the page.
    """
    identified: dict[str, str] = {}
    for pixel_call in pixel_calls:
        if pixel_call.identify and pixel_call.identify != identified and conf.current().user_matching:
            identified = pixel_call.identify
            yield {"identify": identified}
        call: dict[str, Any] = {"event": pixel_call.call.name, "properties": dict(pixel_call.call.properties)}
        if pixel_call.call.event_id:
            call["event_id"] = pixel_call.call.event_id
        if pixel_call.pixel_codes and set(pixel_call.pixel_codes) != set(codes):
            call["pixels"] = list(pixel_call.pixel_codes)
        yield call


def beacon_url() -> str:
    """Return the URL that the page reports to, "" if the site has not included `tiktok_attribution.urls`."""
    urlconf = get_urlconf() or getattr(django_settings, "ROOT_URLCONF", None)  # a worker's settings may have no URLs
    return _reversed(urlconf, get_script_prefix()) if urlconf else ""


@lru_cache(maxsize=64)
def _reversed(urlconf: Any, prefix: str) -> str:
    try:
        return reverse(URL_NAME)
    except NoReverseMatch:
        return ""


def _file(name: str, nonce: str) -> SafeString:
    try:
        address = static(name)
    except ValueError:  # the manifest of static files lacks it, because collectstatic was not run
        logger.exception("tiktok: %s is not among the static files, so this page has no pixel", name)
        return mark_safe("")
    if nonce:
        return format_html('<script src="{}" nonce="{}" defer></script>', address, nonce)
    return format_html('<script src="{}" defer></script>', address)
