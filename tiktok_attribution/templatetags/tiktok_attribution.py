"""The template tags `{% tiktok_pixel %}`, `{% tiktok_event %}` and `{% tiktok_action %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tiktok_attribution.browser import signed_events, tags

register = template.Library()


@register.tag
def tiktok_pixel(parser: template.base.Parser, token: template.base.Token) -> template.Node:
    """Render the base code and the events that wait for this visitor. Put the tag into the `<head>` of base.html.

    Do not put it inside `{% cache %}`, which would show one visitor's events to all visitors.
    """
    if token.split_contents()[1:]:
        raise template.TemplateSyntaxError("{% tiktok_pixel %} takes no arguments")
    return _PixelNode()


class _PixelNode(template.Node):
    """A node class, because a simple tag's resolving and escaping of arguments costs as much as the text itself."""

    def render(self, context: template.Context) -> SafeString:
        return tags.pixel_text(_request_of(context))


@register.simple_tag(takes_context=True)
def tiktok_event(context: template.Context, event: Any, **options: Any) -> SafeString:
    """Render an event: `{% tiktok_event "Contact" %}`, or those of an object: `{% tiktok_event order %}`.

    A name makes only the pixel call; the keywords are its properties, except `event_id`. With `server=True` the server
    event is recorded too, and the page becomes private. An object makes the pixel calls of its conversions, each once.
    If the page has no base code, the tag adds it.
    """
    return tags.event_tag(_request_of(context), event, **options)


@register.simple_tag(takes_context=True)
def tiktok_action(context: template.Context, event: str, **options: Any) -> SafeString:
    """Render an attribute for a button, link or form that makes an event.

    Example: `<button {% tiktok_action "AddToWishlist" value=price currency="EUR" %}>`. A click, or the submit of a
    form, makes the pixel call and reports it to the site. The site records the signed event as a server event.
    `allow="search_string"` names properties that the page may fill in. Needs PAGE_SCRIPT.
    """
    return signed_events.action_attributes(_request_of(context), event, **options)


def _request_of(context: template.Context) -> HttpRequest | None:
    """Return the request, even without the `request` context processor, or if the site shadows that name."""
    request = getattr(context, "request", None) or context.get("request")
    request = getattr(request, "_request", request)  # Django REST framework wraps the request
    return request if isinstance(request, HttpRequest) else None
