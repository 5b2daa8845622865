"""The attribute that marks an element whose click or submit is an event: the text of `{% tiktok_action %}`.

One attribute, and no `data-*`: sanitisers keep those in what visitors write (DOMPurify does by default), and then a
review could make the pixel's calls. It holds the signed text and nothing beside it, so a text that is copied to another
element says only what it was signed for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tiktok_attribution import conf
from tiktok_attribution.browser.action import Action, sign
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import BrowserCall, Event, Page, User
from tiktok_attribution.events.ids import random_event_id, valid_event_id, valid_pixel_codes
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.visitor import Unseen

logger = logging.getLogger("tiktok_attribution")

ATTRIBUTE = "tiktok-action"


@errors_without_values
def action_attributes(
    request: HttpRequest | None, event: str, /, *, allow: str = "", pixels: str = "", **properties: Any
) -> SafeString:
    """What browser and server are to be told, signed. Nothing in it is one visitor's own."""
    settings = conf.current()
    if not settings.enabled or settings.mode == conf.STANDARD:
        return mark_safe("")
    try:
        signed = _signed(request, event, allow.split(), pixels.split(), properties)
    except Exception as error:
        if settings.strict:
            raise
        reason = str(error) if isinstance(error, InvalidEvent) else type(error).__name__
        logger.warning("tiktok: a {%% tiktok_action %%} is left out: %s", reason)
        return mark_safe("")
    return format_html('{}="{}"', ATTRIBUTE, signed)


def _signed(
    request: HttpRequest | None, name: str, allow: list[str], pixels: list[str], properties: dict[str, Any]
) -> str:
    if not conf.current().page_script:
        raise InvalidEvent("it needs PAGE_SCRIPT: True in the settings, and this app's URLs")
    built = _built(name, random_event_id(), properties)
    pixels = list(valid_pixel_codes(pixels))
    of_page = tuple(pixel_codes(request))
    codes = tuple(pixels) or (of_page if of_page != conf.current().pixel_code else ())
    # Clean amounts would be divided by a hundred once more when the server cleans them: it gets the template's.
    given = properties if conf.current().values_in_minor_units else None
    return sign(Action(name=built.name, properties=dict(built.properties), given=given, allow=allow, pixel_codes=codes))


def _built(name: str, event_id: str, properties: Mapping[str, Any]) -> Event:
    built, notes = build_event(
        name, event_id=event_id, event_time=None, user=User(), page=Page(), properties=dict(properties)
    )
    for note in notes:
        logger.info("tiktok: {%% tiktok_action %r %%}: %s", built.name, note)
    return built


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """An unseen event for the page to make up for: the pixel's call, and what it reports to the site for the server."""

    call: BrowserCall
    pixel_codes: tuple[str, ...]
    action: str


@errors_without_values
def later(unseen: Sequence[Unseen]) -> list[Later]:
    """These, signed. What can't be signed is left out with a line in the log: nothing of ours breaks a page.

    The id is the server's and stands in the signed text, so a page that is shown twice records it once.
    """
    found = []
    for one in unseen:
        try:
            built = _built(one.name, valid_event_id(one.event_id), one.properties)
            given = one.properties if conf.current().values_in_minor_units else None
            signed = Action(
                name=built.name,
                properties=dict(built.properties),
                given=given,
                pixel_codes=one.pixel_codes,
                event_id=built.event_id,
            )
            call = BrowserCall(name=built.name, properties=built.properties, event_id=built.event_id)
            found.append(Later(call=call, pixel_codes=one.pixel_codes, action=sign(signed)))
        except Exception as error:
            if conf.current().strict:
                raise
            reason = str(error) if isinstance(error, InvalidEvent) else type(error).__name__
            logger.warning("tiktok: an event of a page that was fetched ahead is left out: %s", reason)
    return found
