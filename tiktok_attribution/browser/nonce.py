"""The page's Content-Security-Policy nonce, where the site has one."""

from __future__ import annotations

import logging

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

logger = logging.getLogger("tiktok_attribution")

# django-csp's attribute, then the one of Django 6 (django.middleware.csp.get_nonce), which 5.2 doesn't have.
_ATTRIBUTES = ("csp_nonce", "_csp_nonce")


def has_nonce(request: HttpRequest | None) -> bool:
    """Whether the site has one; this does not ask for it."""
    return any(getattr(request, attribute, None) is not None for attribute in _ATTRIBUTES)


def nonce_of(request: HttpRequest | None) -> str:
    """django-csp's nonce or Django's own, else "". To ask for it is what puts it into the page's header.

    A template that is rendered while it streams asks too late, unless its view has asked before.
    """
    for attribute in _ATTRIBUTES:
        nonce = getattr(request, attribute, None)
        if nonce is not None:  # not its truth: both are false until somebody has asked for their text
            return _text(nonce)
    return ""


def _text(nonce: object) -> str:
    try:
        return str(nonce)
    except Exception:  # django-csp's CSPNonceError, which is not ours to import
        logger.exception("tiktok: the pixel's script has no nonce, so the browser refuses it")
        return ""


def script(text: str, request: HttpRequest | None) -> SafeString:
    """An inline script with the page's nonce; "" for no text. `text` comes from `browser.script`, which escapes."""
    if not text:
        return mark_safe("")
    nonce = nonce_of(request)
    opening = format_html('<script nonce="{}">', nonce) if nonce else "<script>"
    return mark_safe(f"{opening}{text}</script>")  # noqa: S308 -- see the docstring
