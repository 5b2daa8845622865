"""The value types of an event. All of them hold what is sent, never what a person typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from tiktok_attribution.exceptions import InvalidEvent

MAX_VALUES = 10
"""Hashes sent for one key. TikTok documents no limit; ten people behind one event is already a mistake."""

SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The digest of the empty text: it would match everybody who left the field blank. Never sent."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LISTS = ("email", "phone", "external_id")
_HASHED_SCALARS = ("first_name", "last_name", "zip_code")


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None and value != SHA256_OF_NOTHING


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class User:
    """Who it was. Personal fields are SHA-256 hex as `identity` makes them; a plain value is refused."""

    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    first_name: str = ""
    last_name: str = ""
    zip_code: str = ""
    city: str = ""  # plain, as are state and country: `identity.place`
    state: str = ""
    country: str = ""
    ttclid: str = ""
    ttp: str = ""  # raw value of the pixel's own cookie _ttp, never made up
    ip: str = ""
    user_agent: str = ""
    locale: str = ""  # BCP 47, "en-US"

    def __post_init__(self) -> None:
        for key in _LISTS:
            values = getattr(self, key)
            if values and (isinstance(values, str) or not all(map(_is_digest, values))):
                raise InvalidEvent(f"user.{key} must be a tuple of SHA-256 hex, as events.identity makes it")
        for key in _HASHED_SCALARS:
            value = getattr(self, key)
            if value and not _is_digest(value):
                raise InvalidEvent(f"user.{key} must be SHA-256 hex, as events.identity makes it")

    def __repr__(self) -> str:
        """Names the keys that are there, without their values: hashes and addresses are personal data too."""
        return f"User({', '.join(key.name for key in fields(self) if getattr(self, key.name))})"

    @property
    def matchable(self) -> bool:
        """Whether TikTok has anything to find a person by. A request without is accepted, and useless."""
        keys = self.ttclid or self.ttp or self.email or self.phone or self.external_id
        return bool(keys or (self.ip and self.user_agent))

    @property
    def names_browser(self) -> bool:
        """Whether anything is known of the browser that it was, apart from the person."""
        return bool(self.ttclid or self.ttp or self.ip or self.user_agent)

    def merged(self, other: User) -> User:
        """Both together: this one's scalars win, lists are united in order, at most `MAX_VALUES` each."""
        if other == NO_USER:
            return self
        united: dict[str, Any] = {}
        for key in User.__slots__:
            mine, theirs = getattr(self, key), getattr(other, key)
            if mine and theirs and key in _LISTS:
                united[key] = tuple(dict.fromkeys(mine + theirs))[:MAX_VALUES]
            elif mine or theirs:
                united[key] = mine or theirs
        return User(**united)


NO_USER = User()
"""Of whom nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where it was: addresses as `addresses.clean_address` leaves them."""

    url: str = ""
    referrer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One item of `contents`, for who prefers a type to a mapping. `price` is for one piece."""

    content_id: str | int = ""
    content_name: str = ""
    content_category: str = ""
    brand: str = ""
    price: Decimal | int | float | str | None = None
    quantity: int | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One conversion, from which the browser's call and the server's event are both rendered."""

    name: str  # as `names.canonical_name` returns it
    event_id: str
    event_time: int  # seconds since 1970, UTC
    user: User = User()
    page: Page = Page()
    properties: Mapping[str, Any] = field(default_factory=dict)  # as `properties.properties` returns them
    limited_data_use: bool = False

    def __post_init__(self) -> None:
        # TikTok answers 40002 to a number here, for the event and for the whole batch it travels in.
        for key in ("name", "event_id"):
            text = getattr(self, key)
            if not isinstance(text, str) or not text:
                raise InvalidEvent(f"an event needs {key}: text that is not empty")
        if type(self.event_time) is not int:
            raise InvalidEvent("an event needs an event_time in whole seconds since 1970")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserCall:
    """`ttq.track(name, properties, {event_id})`: the third argument carries the id, not the properties."""

    name: str
    properties: Mapping[str, Any]
    event_id: str
