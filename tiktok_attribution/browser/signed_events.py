"""Signed events: what a page allows its visitor's browser to report, such as a click.

`{% tiktok_action %}` writes an `Action` into the page as signed text; `later` does so for events of a prefetched page.
The text is base64url JSON, a colon and the signature, not compressed. It holds the event, its properties, its pixels,
and the properties that the visitor may fill in.

Decision: the page's actions are signed, its visitor is not named. Only the signed text tells tiktok.js the event, so
the pixel and the server record the same one. The page may be in a shared cache: its age counts in whole days, so
the text stays the same all day.

Decision: one attribute, and not a `data-*` attribute. Sanitisers keep those in text that visitors write (DOMPurify does
by default), and then a review could make pixel calls. A copied text says only what it was signed for.
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
"""Properties that a visitor must not choose, because reports and bids use them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a page allows its visitor to report.

    `properties` are in the form that is sent. `given` is what the template gave, for the case that cleaning the
    properties twice would change them.
    """

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] | None = None
    allow: Sequence[str] = ()
    pixel_codes: Sequence[str] = ()
    event_id: str = ""  # set if the server has made the id already; otherwise the browser makes one for each click

    def with_given(self, given: object) -> dict[str, Any]:
        """Return the signed properties, and those of the browser's properties that the template allows."""
        free = given if isinstance(given, Mapping) else {}
        signed = self.properties if self.given is None else self.given
        return {**{key: free[key] for key in self.allow if _is_plain(free.get(key))}, **signed}


def sign(action: Action) -> str:
    """Return the action as signed text.

    Raises InvalidEvent if `allow` names a property of `NEVER_FREE`, or if the text is over `MOST_CHARACTERS`.
    """
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
        raise InvalidEvent(
            f"its properties make a signed text of {len(text)} characters; at most {MOST_CHARACTERS} are allowed"
        )
    return text


def read(text: object, *, max_age_days: float) -> Action:
    """Read a text that `sign` made. Raises InvalidEvent if it is forged, or older than `max_age_days`."""
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
    """Return the value in a form that JSON can hold; a Decimal, a date or a lazy text becomes a string."""
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
    """Return the attribute of `{% tiktok_action %}` with the signed event. It holds nothing about the visitor."""
    settings = conf.current()
    if not settings.enabled or settings.mode == conf.STANDARD:
        return mark_safe("")
    try:
        signed = _signed(request, event, allow.split(), pixels.split(), properties)
    except Exception as error:
        if settings.strict:
            raise
        reason = str(error) if isinstance(error, InvalidEvent) else type(error).__name__
        logger.warning("tiktok: a {%% tiktok_action %%} was left out: %s", reason)
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
    # Cleaned amounts would be divided by a hundred a second time on the server, so it gets the template's amounts.
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
    """An event of a prefetched page: the pixel call, and the signed action that the page reports to the server."""

    call: BrowserCall
    pixel_codes: tuple[str, ...]
    action: str


@errors_without_values
def later(unseen: Sequence[Unseen]) -> list[Later]:
    """Sign the events of a prefetched page, so that the page can report them when it is shown.

    Decision: to record at the prefetch would count pages that no visitor opens, and no second request follows. So the
    page carries signed actions with the server's event_id, and a page that is shown twice records once. The personal
    data of `track(user=…)` is left out. An event that can't be signed is logged and left out, so the page still works.
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
            logger.warning("tiktok: an event of a prefetched page was left out: %s", reason)
    return found
