"""`{% tiktok_pixel %}`, `{% tiktok_event %}` and `{% tiktok_action %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tiktok_attribution.browser import signed_events, tags

register = template.Library()


@register.tag
def tiktok_pixel(parser: template.base.Parser, token: template.base.Token) -> template.Node:
    """The base code, and the events that wait for this visitor. Put it into the `<head>` of base.html.

    Not inside `{% cache %}`: one visitor's events would be kept there for all.
    """
    if token.split_contents()[1:]:
        raise template.TemplateSyntaxError("{% tiktok_pixel %} takes no arguments")
    return _PixelNode()


class _PixelNode(template.Node):
    """A node of its own: what a simple tag resolves and escapes for arguments would cost as much as the text."""

    def render(self, context: template.Context) -> SafeString:
        return tags.pixel_text(_request_of(context))


@register.simple_tag(takes_context=True)
def tiktok_event(context: template.Context, event: Any, **options: Any) -> SafeString:
    """An event in the page: `{% tiktok_event "Contact" %}`, or of an object: `{% tiktok_event order %}`.

    A name gives the pixel call alone, with the keywords as its properties (apart from `event_id`); with
    `server=True` the server event is recorded too, and the page becomes private. An object gives the pixel calls of
    its conversions, each once. Brings the base code along where the page has none.
    """
    return tags.event_tag(_request_of(context), event, **options)


@register.simple_tag(takes_context=True)
def tiktok_action(context: template.Context, event: str, **options: Any) -> SafeString:
    """Attributes for a button, link or form: `<button {% tiktok_action "AddToWishlist" value=price currency="EUR" %}>`.

    A click, or a form's submit, makes the pixel's call and reports it to the site, which records the server event: of
    what is signed here. `allow="search_string"` names properties that the page may fill in. Needs PAGE_SCRIPT.
    """
    return signed_events.action_attributes(_request_of(context), event, **options)


def _request_of(context: template.Context) -> HttpRequest | None:
    """The request of the page, also where the site leaves out the `request` context processor or shadows the name."""
    request = getattr(context, "request", None) or context.get("request")
    request = getattr(request, "_request", request)  # a view of Django REST framework wraps it
    return request if isinstance(request, HttpRequest) else None
