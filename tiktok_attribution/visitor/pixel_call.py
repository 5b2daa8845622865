"""The pixel call of an event on its way to a page of this visitor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiktok_attribution.events import BrowserCall, User


@dataclass(slots=True, kw_only=True)
class PixelCall:
    """One `ttq.track` call: for which pixels, with which keys to match by.

    `stored` is whom the outbox names, for an event that was read from there; None where this very request made it.
    """

    call: BrowserCall
    pixel_codes: tuple[str, ...]
    identify: dict[str, str]
    stored: User | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """An event of a page that was only fetched ahead: it happens when its visitor gets to see the page, or never."""

    name: str
    event_id: str
    properties: Mapping[str, Any]
    pixel_codes: tuple[str, ...]


def identify_keys(user: User) -> dict[str, str]:
    """What `ttq.identify` gets. TikTok's own tag template names hashed values so; it takes one of each."""
    keys = {
        "sha256_email": user.email[:1],
        "sha256_phone_number": user.phone[:1],
        "external_id": user.external_id[:1],
    }
    return {key: values[0] for key, values in keys.items() if values}


def user_of_text(payload: str) -> User:
    """Of a stored event the hashed lists, for `identify_keys`, and by what its visitor is known again."""
    sent = json.loads(payload).get("user", {})

    def several(key: str) -> tuple[str, ...]:
        value = sent.get(key, ())
        return (value,) if isinstance(value, str) else tuple(value)

    signals = {key: str(sent.get(key, "")) for key in ("ttclid", "ttp", "ip", "user_agent")}
    return User(email=several("email"), phone=several("phone"), external_id=several("external_id"), **signals)
