"""The one settings dict, `TIKTOK_ATTRIBUTION`, as a frozen typed object that is read live.

`current()` never raises: a value that can't be used falls back to its default and is kept as a `Problem`, which the
system checks report. So a slip in the settings shows at `manage.py check`, not in a shopper's request.
"""

from __future__ import annotations

import difflib
import ipaddress
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from tiktok_attribution.events.identity import REGIONS
from tiktok_attribution.events.money import currency_code
from tiktok_attribution.exceptions import InvalidEvent, TikTokAttributionError

logger = logging.getLogger("tiktok_attribution")

SETTING = "TIKTOK_ATTRIBUTION"
DEVELOPER, STANDARD = "developer", "standard"

# Kept in every address that is sent: without ttclid nothing is attributed, without utm_* nothing is reported.
ALWAYS_ALLOWED_PARAMETERS = ("ttclid", "utm_*")

_TOKEN = re.compile(r"[0-9a-f]{40}")  # the form that TikTok's access tokens are seen in
_DOMAIN = re.compile(r"(\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigurationError(TikTokAttributionError, ImproperlyConfigured):
    """A setting or a declaration that can't work; the message says how to mend it."""


class Problem(NamedTuple):
    """One mistake in the settings dict: which key, what is wrong, how to mend it."""

    key: str
    message: str
    hint: str


class _Unusable(Exception):
    """Raised by a reader below: `message` completes the sentence "TIKTOK_ATTRIBUTION['X'] …"."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Unusable(f"must be text, not {type(value).__name__}.")
    return value.strip()


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Unusable(f"must be True or False, not {value!r}.")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        raise _Unusable("must be a list, not a string.", f"Write [{value!r}].")
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
        raise _Unusable("must be a list of strings.")
    return tuple(item.strip() for item in value)


def _codes(value: object) -> tuple[str, ...]:
    if not isinstance(value, (str, list, tuple, set, frozenset)):
        raise _Unusable(f"must be text or a list of texts, not {type(value).__name__}.")
    codes = (_text(value),) if isinstance(value, str) else _texts(value)
    for code in codes:
        if _TOKEN.fullmatch(code):  # every page would show it
            raise _Unusable("holds what looks like an access token.", "The token belongs into ACCESS_TOKEN.")
        if code and not (code.isascii() and code.isalnum() and len(code) <= 64):
            raise _Unusable("may hold only letters and digits.", "Copy the pixel's id from TikTok Events Manager.")
    return tuple(dict.fromkeys(code for code in codes if code))


def _token(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(code): _token(token) for code, token in value.items()}
    if isinstance(value, str):
        token = value.strip()
        if token.lower().startswith("bearer"):
            raise _Unusable('begins with "Bearer": TikTok refuses that (40105).', "Give the bare token.")
        if not token.isascii() or any(character.isspace() for character in token):
            raise _Unusable("holds white space or other characters no token has.", "Copy the token again.")
        return token
    if callable(value):
        return value
    raise _Unusable("must be text, a callable of the pixel code, or a dict of either by pixel code.")


def _currency(value: object) -> str:
    text = _text(value)
    try:
        return currency_code(text) if text else ""
    except InvalidEvent as error:
        raise _Unusable(f"is {text!r}: {error}") from None


def _region(value: object) -> str:
    text = _text(value).upper()
    if text and text not in REGIONS:
        raise _Unusable(f"is {value!r}, no country's two letters.", 'Write "US", "DE", "GB" …')
    return text


def _asked(give: Callable[[str], Any], pixel_code: str) -> str:
    try:
        token = _token(give(pixel_code) or "")
    except _Unusable as error:
        trouble = error.message
    except Exception as error:  # noqa: BLE001 -- the site's own code; what it says may hold the token
        trouble = f"was not given: {type(error).__name__}."
    else:
        return token if isinstance(token, str) else ""
    logger.error("tiktok: the ACCESS_TOKEN of %s %s", pixel_code, trouble)
    return ""


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Unusable(f"must be a dict, not {type(value).__name__}.")
    return value


def _callable(value: object) -> Callable[..., Any] | None:
    if value is None or callable(value):
        return value
    if not isinstance(value, str):
        raise _Unusable("must be a callable or the dotted path of one.")
    try:
        found = import_string(value)
    except ImportError as error:
        raise _Unusable(f"names {value!r}, which can't be imported: {error}.") from None
    if not callable(found):
        raise _Unusable(f"names {value!r}, which isn't callable.")
    return found  # type: ignore[no-any-return]


def _networks(value: object) -> tuple[Network, ...]:
    networks = []
    for item in _texts(value):
        try:
            networks.append(ipaddress.ip_network(item, strict=False))
        except ValueError:
            raise _Unusable(f"holds {item!r}, no address or network.", 'Write "10.0.0.0/8" or "192.0.2.7".') from None
    return tuple(networks)


def _paths(value: object) -> tuple[str, ...]:
    paths = tuple(filter(None, _texts(value)))
    for path in paths:
        if not path.startswith("/"):
            raise _Unusable(f"holds {path!r}, which no path begins with.", f"Write {'/' + path!r}.")
    return paths


def _domain(value: object) -> str:
    text = _text(value)
    if not _DOMAIN.fullmatch(text):
        raise _Unusable(f"is {text!r}, no domain.", 'Write ".example.com", without https:// and port.')
    return text


def _address(value: object) -> str:
    text = _text(value).rstrip("/")
    if not text.startswith(("https://", "http://")) or not urlsplit(text).hostname:
        raise _Unusable(f"must be an address that begins with https://, and {text!r} isn't.")
    return text


def _site_address(value: object) -> str:
    return _address(value) if value != "" else ""  # "" where an environment variable is not set


def _api_address(value: object) -> str:
    return _address(value) + "/"  # TikTok's path ends in a slash; without it the route isn't found


def _choice(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value).lower()
        if text not in choices:
            raise _Unusable(f"is {value!r}, not one of {', '.join(map(repr, choices))}.")
        return text

    return read


def _number(least: float, most: float, kind: type = int) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        wanted = "a whole number" if kind is int else "a number"
        is_number = isinstance(value, (int, kind)) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:  # type: ignore[operator]
            raise _Unusable(f"must be {wanted} from {_shown(least)} to {_shown(most)}, not {value!r}.")
        return kind(value)

    return read


def _shown(number: float) -> str:
    return f"{number:,}".replace(",", "_").removesuffix(".0")


def _option(read: Callable[[object], Any], default: Any, *, secret: bool = False) -> Any:
    return field(default_factory=lambda: default, repr=not secret, metadata={"read": read})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is the key of the same name in capitals; the README's table explains them."""

    enabled: bool = _option(_flag, True)
    pixel_code: tuple[str, ...] = _option(_codes, ())
    access_token: Any = _option(_token, "", secret=True)
    mode: str = _option(_choice(DEVELOPER, STANDARD), DEVELOPER)
    conversions: Mapping[str, Any] = _option(_mapping, {})
    standard_mode_server_events: tuple[str, ...] = _option(_texts, ())
    pixel_for_request: Callable[..., Any] | None = _option(_callable, None)
    strict: bool = _option(_flag, False)

    user: Mapping[str, Any] = _option(_mapping, {"email": "email", "external_id": "pk"})
    phone_region: str = _option(_region, "")
    currency: str = _option(_currency, "")
    values_in_minor_units: bool = _option(_flag, False)

    trusted_proxies: tuple[Network, ...] = _option(_networks, ())
    is_visitor: Callable[..., Any] | None = _option(_callable, None)
    excluded_paths: tuple[str, ...] = _option(_paths, ())
    site_url: str = _option(_site_address, "")
    allowed_query_parameters: tuple[str, ...] = _option(_texts, ())
    click_id_days: int = _option(_number(1, 400), 30)
    cookie_domain: str = _option(_domain, "")
    snapshot_days: int = _option(_number(1, 400), 30)

    identify: bool = _option(_flag, True)
    history_observer: bool = _option(_flag, True)
    limited_data_use: bool = _option(_flag, False)
    pixel_host: str = _option(_address, "https://analytics.tiktok.com")

    api_url: str = _option(_api_address, "https://business-api.tiktok.com/open_api/v1.3/event/track/")
    test_event_code: str = _option(_text, "")
    test_event_code_in_production: bool = _option(_flag, False)
    batch_size: int = _option(_number(1, 1000), 1000)
    batch_bytes: int = _option(_number(10_000, 10_000_000), 1_000_000)
    timeout_seconds: float = _option(_number(0.1, 120, float), 10.0)
    lanes: int = _option(_number(1, 64), 4)
    lanes_at_once: int = _option(_number(1, 16), 2)
    lease_seconds: float = _option(_number(1, 3600, float), 60.0)
    retry_seconds: float = _option(_number(0.01, 3600, float), 5.0)
    retry_most_seconds: float = _option(_number(0.01, 86_400, float), 3600.0)
    max_age_days: float = _option(_number(0.01, 28, float), 7.0)
    hint_seconds: float = _option(_number(0, 60, float), 0.25)
    keep_payload_days: float = _option(_number(0.01, 400, float), 14.0)
    keep_event_days: float = _option(_number(0.01, 4000, float), 90.0)

    problems: tuple[Problem, ...] = ()

    @property
    def allowed_parameters(self) -> tuple[str, ...]:
        """Query parameters that stay in the addresses that are sent."""
        return ALWAYS_ALLOWED_PARAMETERS + self.allowed_query_parameters

    @property
    def max_age_seconds(self) -> int:
        """Age at which an event is too old to be sent."""
        return int(self.max_age_days * 86_400)

    def token_of(self, pixel_code: str) -> str:
        """The bare Events API token of this pixel, "" where there is none. Callables are asked each time.

        A callable that fails gives "" too, so that the pixel stops; it goes on by itself when there is a token again.
        """
        token = self.access_token
        if isinstance(token, Mapping):
            token = token.get(pixel_code, "")
        if callable(token):
            return _asked(token, pixel_code)
        return token if isinstance(token, str) else ""

    def sends_to_server(self, event_name: str) -> bool:
        """False for events that Standard Mode leaves to Event Builder: those carry no event_id to merge by."""
        return self.mode == DEVELOPER or event_name in self.standard_mode_server_events


OPTIONS = {f.name.upper(): f for f in fields(Settings) if "read" in f.metadata}
_EMPTY: Mapping[str, Any] = {}


def read(raw: object) -> Settings:
    """Read a settings dict; what can't be used becomes a `Problem` and keeps its default."""
    if not isinstance(raw, Mapping):
        return Settings(problems=(Problem("", f"{SETTING} must be a dict.", ""),))
    values: dict[str, Any] = {}
    problems = []
    for key, value in raw.items():
        option = OPTIONS.get(key)
        if option is None:
            problems.append(_unknown(str(key)))
            continue
        try:
            values[option.name] = option.metadata["read"](value)
        except _Unusable as error:
            problems.append(Problem(key, f"{SETTING}[{key!r}] {error.message}", error.hint))
    return Settings(**values, problems=tuple(problems))


def _unknown(key: str) -> Problem:
    near = nearest(key, list(OPTIONS))
    hint = f"Did you mean {near!r}?" if near else f"Known keys: {', '.join(OPTIONS)}."
    return Problem(key, f"{SETTING} has no key {key!r}.", hint)


def nearest(written: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, whatever its case; "" when none is near."""
    folded = {word.lower(): word for word in known}
    near = difflib.get_close_matches(written.lower(), folded, n=1)
    return folded[near[0]] if near else ""


class _Read(NamedTuple):
    raw: object
    copy: object
    settings: Settings


_last = _Read(None, None, Settings())


def current() -> Settings:
    """The settings as they are now. Read again whenever the dict or one of its values is another object."""
    global _last
    raw = getattr(django_settings, SETTING, _EMPTY)
    last = _last
    if raw is last.raw and raw == last.copy:
        return last.settings
    copy = dict(raw) if isinstance(raw, Mapping) else raw
    _last = _Read(raw, copy, read(raw))
    return _last.settings
