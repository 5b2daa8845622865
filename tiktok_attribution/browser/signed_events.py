"""Actions: events that arise in the browser alone, such as a click, signed for what the page allows them to say.

The signed text names event, properties, pixels, and which properties the visitor may fill in. It is base64url JSON, a
colon and the signature, not compressed: tiktok.js reads the event out of it, so what the pixel is told and what the
server records can't differ. It names no visitor, so it may lie in a shared cache; its age is counted in whole days, so
the page's text stays the same all day.

The attribute that marks an element whose click or submit is an event: the text of `{% tiktok_action %}`.

One attribute, and no `data-*`: sanitisers keep those in what visitors write (DOMPurify does by default), and then a
review could make the pixel's calls. It holds the signed text and nothing beside it, so a text that is copied to another
element says only what it was signed for.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tiktok_attribution import conf
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import BrowserCall, Event, Page, User
from tiktok_attribution.events.ids import random_event_id, valid_event_id, valid_pixel_codes
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.visitor import Unseen

logger = logging.getLogger("tiktok_attribution")

SALT = "tiktok_action"
MOST_CHARACTERS = 8000
MOST_TEXT = 200
NEVER_FREE = frozenset({"value", "currency", "contents", "predicted_ltv"})
"""What a visitor must not choose: reports and bids are made of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a page allows: `properties` as they are sent; `given` as the template gave them, where cleaning these twice
    would change them.
    """

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] | None = None
    allow: Sequence[str] = ()
    pixel_codes: Sequence[str] = ()
    event_id: str = ""  # of an event that the server has named already; else the browser makes one for each click

    def with_given(self, given: object) -> dict[str, Any]:
        """The signed properties, and of what the visitor's browser gave those that may be given."""
        free = given if isinstance(given, Mapping) else {}
        signed = self.properties if self.given is None else self.given
        return {**{key: free[key] for key in self.allow if _is_plain(free.get(key))}, **signed}


def sign(action: Action) -> str:
    """Raises InvalidEvent for what may not be left to visitors, and for what is too long to be sent back."""
    if forbidden := NEVER_FREE.intersection(action.allow):
        raise InvalidEvent(f"allow names {', '.join(sorted(forbidden))}: a visitor could send any amount")
    parts = {"e": action.name, "d": _today()}
    more = {
        "p": _plain(action.properties),
        "g": _plain(action.given or {}),
        "a": list(action.allow),
        "c": list(action.pixel_codes),
        "i": action.event_id,
    }
    text = signing.Signer(salt=SALT).sign_object({**parts, **{k: v for k, v in more.items() if v}})
    if len(text) > MOST_CHARACTERS:
        raise InvalidEvent(f"its properties make {len(text)} characters, at most {MOST_CHARACTERS} are sent back")
    return text


def read(text: object, *, max_age_days: float) -> Action:
    """The counterpart of `sign`. Raises InvalidEvent for what is old or somebody's own making."""
    try:
        signed = signing.Signer(salt=SALT).unsign_object(str(text)[: 2 * MOST_CHARACTERS])
        age = _today() - signed["d"]
        action = Action(
            name=signed["e"],
            properties=signed.get("p", {}),
            given=signed.get("g"),
            allow=signed.get("a", ()),
            pixel_codes=signed.get("c", ()),
            event_id=signed.get("i", ""),
        )
    except (signing.BadSignature, ValueError, TypeError, KeyError) as error:
        raise InvalidEvent("the action is not one that this site has signed") from error
    if age > max_age_days:
        raise InvalidEvent(f"the action was signed {age} days ago: raise ACTION_DAYS if pages are cached for longer")
    return action


def _today() -> int:
    return int(time() // 86_400)


def _plain(value: Any) -> Any:
    """As JSON takes it; a Decimal, a date or a lazy text as its text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


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
