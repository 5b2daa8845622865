"""The page's Content-Security-Policy nonce, where the site has one."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe


def nonce_of(request: HttpRequest | None) -> str:
    """django-csp's nonce (`request.csp_nonce`) or Django 6's own (`request._csp_nonce`), else ""."""
    nonce = getattr(request, "csp_nonce", None) or getattr(request, "_csp_nonce", None)
    return str(nonce) if nonce else ""


def script(text: str, request: HttpRequest | None) -> SafeString:
    """An inline script with the page's nonce; "" for no text. `text` comes from `browser.script`, which escapes."""
    if not text:
        return mark_safe("")
    nonce = nonce_of(request)
    opening = format_html('<script nonce="{}">', nonce) if nonce else "<script>"
    return mark_safe(f"{opening}{text}</script>")
