"""The value types of an event: `User`, `Page`, `Content`, `Event` and `BrowserCall`.

All of them hold what is sent, never the plain personal data that a person typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from tiktok_attribution.exceptions import InvalidEvent

MAX_VALUES = 10
"""Hashes that are sent for one key. TikTok documents no limit; ten people behind one event are already an error."""

SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The digest of the empty text. It would match everyone who left the field blank, so it is never sent."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LISTS = ("email", "phone", "external_id")
_HASHED_SCALARS = ("first_name", "last_name", "zip_code")


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None and value != SHA256_OF_NOTHING


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class User:
    """The person of an event. Personal fields are SHA-256 hex from `events.hashing`; a plain value is refused."""

    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    external_id: tuple[str, ...] = ()
    first_name: str = ""
    last_name: str = ""
    zip_code: str = ""
    city: str = ""  # plain, as are state and country: `hashing.place`
    state: str = ""
    country: str = ""
    ttclid: str = ""
    ttp: str = ""  # the value of the pixel's own cookie _ttp, never invented
    ip: str = ""
    user_agent: str = ""
    locale: str = ""  # BCP 47, "en-US"

    def __post_init__(self) -> None:
        for key in _LISTS:
            values = getattr(self, key)
            if values and (isinstance(values, str) or not all(map(_is_digest, values))):
                raise InvalidEvent(f"user.{key} must be a tuple of SHA-256 hex, as events.hashing makes it")
        for key in _HASHED_SCALARS:
            value = getattr(self, key)
            if value and not _is_digest(value):
                raise InvalidEvent(f"user.{key} must be SHA-256 hex, as events.hashing makes it")

    def __repr__(self) -> str:
        """Name the keys that are set, without their values: hashes and addresses are personal data too."""
        return f"User({', '.join(key.name for key in fields(self) if getattr(self, key.name))})"

    @property
    def matchable(self) -> bool:
        """True if TikTok has anything to match a person by. Otherwise it accepts the request, and can't use it."""
        keys = self.ttclid or self.ttp or self.email or self.phone or self.external_id
        return bool(keys or (self.ip and self.user_agent))

    @property
    def names_browser(self) -> bool:
        """True if anything is known of the browser, apart from the person."""
        return bool(self.ttclid or self.ttp or self.ip or self.user_agent)

    def merged(self, other: User) -> User:
        """Combine two users. This one's scalars win. Lists are joined in order, at most `MAX_VALUES` each."""
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
"""A user of whom nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page of an event. Addresses are cleaned by `page_url.clean_address`."""

    url: str = ""
    referrer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One item of `contents`, for callers who prefer a type to a mapping. `price` is the price of one piece."""

    content_id: str | int = ""
    content_name: str = ""
    content_category: str = ""
    brand: str = ""
    price: Decimal | int | float | str | None = None
    quantity: int | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, from which the pixel call and the server's event are both rendered."""

    name: str  # as `names.canonical_name` returns it
    event_id: str
    event_time: int  # seconds since 1970, UTC
    user: User = User()
    page: Page = Page()
    properties: Mapping[str, Any] = field(default_factory=dict)  # as `properties.properties` returns them
    limited_data_use: bool = False

    def __post_init__(self) -> None:
        # TikTok answers 40002 to a number here, and refuses the whole batch with it.
        for key in ("name", "event_id"):
            text = getattr(self, key)
            if not isinstance(text, str) or not text:
                raise InvalidEvent(f"an event needs {key}: text that is not empty")
        if type(self.event_time) is not int:
            raise InvalidEvent("an event needs an event_time in whole seconds since 1970")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserCall:
    """The arguments of `ttq.track(name, properties, {event_id})`. The third argument holds the id."""

    name: str
    properties: Mapping[str, Any]
    event_id: str
