"""The attributes that mark an element whose click or submit is an event: the text of `{% tiktok_action %}`."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from tiktok_attribution import conf
from tiktok_attribution.browser.action import Action, sign
from tiktok_attribution.browser.script import safe_json
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.ids import random_event_id, valid_pixel_codes
from tiktok_attribution.exceptions import InvalidEvent

logger = logging.getLogger("tiktok_attribution")


@errors_without_values
def action_attributes(
    request: HttpRequest | None, event: str, /, *, allow: str = "", pixels: str = "", **properties: Any
) -> SafeString:
    """Event and properties for the browser, and their signature for the server. Nothing here is one visitor's own."""
    settings = conf.current()
    if not settings.enabled or settings.mode == conf.STANDARD:
        return _attributes({})
    try:
        return _attributes(_found(request, event, allow.split(), pixels.split(), properties))
    except Exception as error:
        if settings.strict:
            raise
        why = str(error) if isinstance(error, InvalidEvent) else type(error).__name__
        logger.warning("tiktok: a {%% tiktok_action %%} is left out: %s", why)
        return _attributes({})


def _found(
    request: HttpRequest | None, name: str, allow: list[str], pixels: list[str], properties: dict[str, Any]
) -> dict[str, str]:
    if not conf.current().page_script:
        raise InvalidEvent("it needs PAGE_SCRIPT: True in the settings, and this app's URLs")
    built, notes = build_event(
        name, event_id=random_event_id(), event_time=None, user=User(), page=Page(), properties=properties
    )
    for note in notes:
        logger.info("tiktok: {%% tiktok_action %r %%}: %s", built.name, note)
    pixels = list(valid_pixel_codes(pixels))
    of_page = tuple(pixel_codes(request))
    codes = tuple(pixels) or (of_page if of_page != conf.current().pixel_code else ())
    signed = sign(Action(name=built.name, properties=properties, allow=allow, pixel_codes=codes))
    found = {"event": built.name, "properties": safe_json(dict(built.properties)) if built.properties else ""}
    return {**found, "pixels": " ".join(pixels), "allow": " ".join(allow), "action": signed}


def _attributes(found: dict[str, str]) -> SafeString:
    return format_html_join(" ", 'data-tiktok-{}="{}"', ((key, value) for key, value in found.items() if value))
