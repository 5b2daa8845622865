"""Read the settings `ATTRIBUTION` and `MARKETING_API`: each as a frozen typed object, or InvalidSetting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tiktok_attribution.errors import HiddenText
from tiktok_attribution.setting_validation import (
    InvalidSetting,
    callable_or_none,
    codes,
    currency,
    flag,
    mapping,
    number,
    text,
    texts,
    token,
)

MOST_WINDOWS = 6
LONGEST_WINDOW = 90
JOINS = ("external_id", "email")
"""Matching keys by which two devices of one person may be joined."""
OBJECTS = ("campaign", "adgroup", "ad", "creative", "placement")
"""What the parameters of a landing address can name."""
BUILDER_KEYS = ("tt_adgroup", "tt_ad", "tt_ad_v2", "tt_placement")
"""Query parameters that the app's own link builder writes: ad group, ad (creative), ad of Smart+, placement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """The setting `ATTRIBUTION`. docs/reference/settings.md explains the keys.

    `windows` are days. `parameters` names, for each of TikTok's objects, query parameters that hold its id or name
    beyond those that are read anyway. `rates` is a callable (currency, day) → Decimal: what one unit is worth in the
    advertiser's currency.
    """

    enabled: bool = False
    windows: tuple[int, ...] = (1, 7, 14, 28)
    window: int = 7  # the one that pages show first
    events: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    other_channels: bool = False
    key: str = ""
    parameters: Mapping[str, tuple[str, ...]] | None = None
    rates: Callable[..., Decimal | None] | None = None
    landings_per_minute: int = 20
    landings_per_day: int = 200_000

    @property
    def widest(self) -> int:
        """Return the widest window in seconds."""
        return max(self.windows) * 86_400


def attribution(value: object) -> Attribution:
    """Read True, False, or a dict of keys; a dict switches attribution on."""
    if isinstance(value, bool):
        return Attribution(enabled=value)
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"must be True, False or a dict, not {type(value).__name__}.")
    given: dict[str, Any] = {}
    for key, one in value.items():
        if key not in _KEYS:
            raise InvalidSetting(f"has no key {key!r}.", f"Known keys: {', '.join(_KEYS)}.")
        try:
            given[key] = _KEYS[key](one)
        except InvalidSetting as error:
            raise InvalidSetting(f"[{key!r}] {error.message}", error.hint) from None
    read = replace(Attribution(enabled=True), **given)
    if "window" in given and read.window not in read.windows:
        raise InvalidSetting(f"['window'] is {read.window}, none of 'windows'.", f"Write one of {read.windows}.")
    return read if read.window in read.windows else replace(read, window=read.windows[0])


def _windows(value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MOST_WINDOWS:
        raise InvalidSetting(f"must be a list of 1 to {MOST_WINDOWS} numbers of days.", "Write [1, 7, 14, 28].")
    return tuple(sorted({number(1, LONGEST_WINDOW)(days) for days in value}))


def _joins(value: object) -> tuple[str, ...]:
    found = texts(value)
    for name in found:
        if name not in JOINS:
            raise InvalidSetting(f"holds {name!r}.", f"Known: {', '.join(map(repr, JOINS))}.")
    return found


def _parameters(value: object) -> Mapping[str, tuple[str, ...]]:
    found = {}
    for name, given in mapping(value).items():
        if name not in OBJECTS:
            raise InvalidSetting(f"has no key {name!r}.", f"Known keys: {', '.join(OBJECTS)}.")
        found[name] = (text(given),) if isinstance(given, str) else texts(given)
    return found


_KEYS: Mapping[str, Callable[[object], Any]] = {
    "windows": _windows,
    "window": number(1, LONGEST_WINDOW),
    "events": texts,
    "join": _joins,
    "other_channels": flag,
    "key": lambda value: HiddenText(text(value)),
    "parameters": _parameters,
    "rates": callable_or_none,
    "landings_per_minute": number(1, 100_000),
    "landings_per_day": number(1, 1_000_000_000),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Advertiser:
    """One advertiser of the setting `MARKETING_API`. `time_zone` None: the site's TIME_ZONE decides its days."""

    advertiser_id: str
    token: Any = ""  # text or a callable of the advertiser id; "" where spend comes by CSV alone
    pixels: tuple[str, ...] = ()
    time_zone: ZoneInfo | None = None
    currency: str = ""

    def __repr__(self) -> str:
        return f"Advertiser({self.advertiser_id!r})"


def advertisers(value: object) -> Mapping[str, Advertiser]:
    """Read advertisers by id: {"7001234567890123456": {"token": …, "pixels": […], "time_zone": "Europe/Berlin"}}."""
    found = {}
    for key, given in mapping(value).items():
        advertiser_id = str(key)
        if not advertiser_id.isdecimal():
            raise InvalidSetting(f"names {key!r}, which is no advertiser id.", "It is a number of about 19 digits.")
        unknown = [name for name in mapping(given) if name not in _ADVERTISER]
        if unknown:
            raise InvalidSetting(f"has {unknown[0]!r} for {advertiser_id}.", f"Known keys: {', '.join(_ADVERTISER)}.")
        read = {name: _ADVERTISER[name](one) for name, one in given.items()}
        found[advertiser_id] = Advertiser(advertiser_id=advertiser_id, **read)
    return found


def _zone(value: object) -> ZoneInfo:
    name = text(value)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidSetting(f"names the time zone {name!r}, which isn't known.", 'Write "Europe/Berlin".') from None


_ADVERTISER: Mapping[str, Callable[[object], Any]] = {
    "token": token,
    "pixels": codes,
    "time_zone": _zone,
    "currency": currency,
}
