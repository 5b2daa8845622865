"""Actions: events that arise in the browser alone, such as a click, signed for what the page allows them to say.

The signed text names event, properties, pixels, and which properties the visitor may fill in. It is base64url JSON, a
colon and the signature, not compressed: tiktok.js reads the event out of it, so what the pixel is told and what the
server records can't differ. It names no visitor, so it may lie in a shared cache; its age is counted in whole days, so
the page's text stays the same all day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from django.core import signing

from tiktok_attribution.exceptions import InvalidEvent

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
