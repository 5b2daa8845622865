"""The page's Content-Security-Policy nonce, where the site has one."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# django-csp's attribute, then the one of Django 6 (django.middleware.csp.get_nonce), which 5.2 doesn't have.
_ATTRIBUTES = ("csp_nonce", "_csp_nonce")


def nonce_of(request: HttpRequest | None) -> str:
    """django-csp's nonce or Django's own, else "". To ask for it is what puts it into the page's header."""
    for attribute in _ATTRIBUTES:
        nonce = getattr(request, attribute, None)
        if nonce is not None:  # not its truth: both are false until somebody has asked for their text
            return str(nonce)
    return ""


def script(text: str, request: HttpRequest | None) -> SafeString:
    """An inline script with the page's nonce; "" for no text. `text` comes from `browser.script`, which escapes."""
    if not text:
        return mark_safe("")
    nonce = nonce_of(request)
    opening = format_html('<script nonce="{}">', nonce) if nonce else "<script>"
    return mark_safe(f"{opening}{text}</script>")  # noqa: S308 -- see the docstring
