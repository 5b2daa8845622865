"""The template tags as Jinja2 functions: `tiktok_pixel()`, `tiktok_event("Contact")` and `tiktok_action(…)`.

Add `"extensions": ["tiktok_attribution.jinja2.TikTokExtension"]` to the OPTIONS of Django's Jinja2 backend, or to any
environment whose context has the request. To use them in a macro, import it with `{% import … with context %}`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from jinja2 import Environment, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context

from tiktok_attribution.browser import signed_events, tags


class TikTokExtension(Extension):
    """Add the three functions to the environment. They return safe text, so autoescape does not change it."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(tiktok_pixel=tiktok_pixel, tiktok_event=tiktok_event, tiktok_action=tiktok_action)


@pass_context
def tiktok_pixel(context: Context) -> SafeString:
    """Return the same text as `{% tiktok_pixel %}`."""
    return tags.pixel_text(_request_of(context))


@pass_context
def tiktok_event(context: Context, event: Any, /, **options: Any) -> SafeString:
    """Return the same text as `{% tiktok_event %}`."""
    return tags.event_tag(_request_of(context), event, **options)


@pass_context
def tiktok_action(context: Context, event: str, /, **options: Any) -> SafeString:
    """Return the same text as `{% tiktok_action %}`."""
    return signed_events.action_attributes(_request_of(context), event, **options)


def _request_of(context: Context) -> HttpRequest | None:
    request = context.get("request")
    request = getattr(request, "_request", request)  # Django REST framework wraps the request
    return request if isinstance(request, HttpRequest) else None
