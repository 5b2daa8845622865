"""`{% tiktok_pixel %}` and `{% tiktok_event %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from tiktok_attribution.browser import page

register = template.Library()


@register.simple_tag(takes_context=True)
def tiktok_pixel(context: template.Context) -> SafeString:
    """The base code, and the events that wait for this visitor. Put it into the `<head>` of base.html."""
    return page.pixel_text(context.get("request"))


@register.simple_tag(takes_context=True)
def tiktok_event(context: template.Context, event: Any, **options: Any) -> SafeString:
    """An event in the page: `{% tiktok_event "Contact" description="chat" %}`, or of an object: `{% tiktok_event order %}`.

    A name gives the browser half alone, with the keywords as its properties (`event_id` and `user_id` apart); with
    `server=True` the server half is recorded too, and the page becomes private. An object gives the browser halves of
    its conversions, each once.
    """
    return page.event_tag(context.get("request"), event, **options)
