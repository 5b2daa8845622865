"""Find the page's CSP nonce, of django-csp or of Django, and put a script between tags that carry it."""

from __future__ import annotations

import logging

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

logger = logging.getLogger("tiktok_attribution")

# The attribute of django-csp, then that of Django 6 (django.middleware.csp.get_nonce). Django 5.2 has no nonce.
_ATTRIBUTES = ("csp_nonce", "_csp_nonce")


def has_nonce(request: HttpRequest | None) -> bool:
    """Return whether the page has a CSP nonce. This does not request the nonce."""
    return any(getattr(request, attribute, None) is not None for attribute in _ATTRIBUTES)


def nonce_of(request: HttpRequest | None) -> str:
    """Return the nonce of django-csp or of Django, "" if there is none. Reading it adds it to the page's CSP header.

    A template that is rendered during streaming reads it too late, unless the view has read it before.
    """
    for attribute in _ATTRIBUTES:
        nonce = getattr(request, attribute, None)
        if nonce is not None:  # don't test its truth: both are false until their text is read
            return _text(nonce)
    return ""


def _text(nonce: object) -> str:
    try:
        return str(nonce)
    except Exception:  # CSPNonceError of django-csp, an optional package that we can't import
        logger.exception("tiktok: the pixel's script has no nonce, so the browser will block it")
        return ""


def script(text: str, request: HttpRequest | None) -> SafeString:
    """Return an inline script with the page's nonce; "" for no text. `inline_code` escapes `text`."""
    if not text:
        return mark_safe("")
    nonce = nonce_of(request)
    opening = format_html('<script nonce="{}">', nonce) if nonce else "<script>"
    return mark_safe(f"{opening}{text}</script>")  # noqa: S308 -- see the docstring
