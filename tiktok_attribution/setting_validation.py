"""Read the values of single settings: each function returns the typed value or raises InvalidSetting.

`conf.Settings` names the reader of each setting. A reader's message says what is wrong, and its hint what to write.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.utils.module_loading import import_string

from tiktok_attribution.consent.cookie_rules import CookieRule, Rule, UnreadableConsent, rule_of, words
from tiktok_attribution.errors import HiddenText
from tiktok_attribution.events.hashing import REGIONS
from tiktok_attribution.events.ids import has_token_form, pixel_code_fault
from tiktok_attribution.events.money import currency_code
from tiktok_attribution.exceptions import InvalidEvent

_DOMAIN = re.compile(r"(\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
DENY, LIMIT, IGNORE = EFFECTS = ("deny", "limited_data_use", "ignore")
"""What a privacy signal or an opt-out of a visitor does: no events, limited data use, or nothing."""


class InvalidSetting(Exception):
    """A setting's value can't be used. `message` completes the sentence "TIKTOK_ATTRIBUTION['X'] …"."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidSetting(f"must be text, not {type(value).__name__}.")
    return value.strip()


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidSetting(f"must be True or False, not {value!r}.")
    return value


TURBO = "turbo"


def observer(value: object) -> bool | str:
    if value != TURBO and not isinstance(value, bool):
        raise InvalidSetting(f"must be True, False or {TURBO!r}, not {value!r}.")
    return value


def texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        raise InvalidSetting("must be a list, not a string.", f"Write [{value!r}].")
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
        raise InvalidSetting("must be a list of strings.")
    return tuple(item.strip() for item in value)


def codes(value: object) -> tuple[str, ...]:
    if not isinstance(value, (str, list, tuple, set, frozenset)):
        raise InvalidSetting(f"must be text or a list of texts, not {type(value).__name__}.")
    found = (text(value),) if isinstance(value, str) else texts(value)
    for code in found:
        if has_token_form(code):
            raise InvalidSetting("holds what looks like an access token.", "The token belongs into ACCESS_TOKEN.")
        if pixel_code_fault(code):
            raise InvalidSetting("may hold only letters and digits.", "Copy the pixel's id from TikTok Events Manager.")
    return tuple(dict.fromkeys(code for code in found if code))


def token(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(code): "" if one is None else token(one) for code, one in value.items()}
    if isinstance(value, str):
        bare = value.strip()
        if bare.lower().startswith("bearer"):
            raise InvalidSetting('begins with "Bearer": TikTok refuses that (40105).', "Give the bare token.")
        if not bare.isascii() or any(character.isspace() for character in bare):
            raise InvalidSetting("holds white space or other characters no token has.", "Copy the token again.")
        return HiddenText(bare)
    if callable(value):
        return value
    raise InvalidSetting("must be text, a callable of the pixel code, or a dict of either by pixel code.")


def currency(value: object) -> str:
    written = text(value)
    try:
        return currency_code(written) if written else ""
    except InvalidEvent as error:
        raise InvalidSetting(f"is {written!r}: {error}") from None


def hours_or_none(value: object) -> object:
    """Read a number of hours, at most the maximum of MAX_AGE_DAYS, or None."""
    return None if value is None else number(0.1, 28 * 24, float)(value)


def region(value: object) -> str:
    written = text(value).upper()
    if written and written not in REGIONS:
        raise InvalidSetting(f"is {value!r}, no country's two letters.", 'Write "US", "DE", "GB" …')
    return written


def mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidSetting(f"must be a dict, not {type(value).__name__}.")
    return value


def callable_or_none(value: object) -> Callable[..., Any] | None:
    if value is None or callable(value):
        return value
    if not isinstance(value, str):
        raise InvalidSetting("must be a callable or the dotted path of one.")
    try:
        found = import_string(value)
    except ImportError as error:
        raise InvalidSetting(f"names {value!r}, which can't be imported: {error}.") from None
    if not callable(found):
        raise InvalidSetting(f"names {value!r}, which isn't callable.")
    return found  # type: ignore[no-any-return]


def networks(value: object) -> tuple[Network, ...]:
    networks = []
    for item in filter(None, texts(value)):  # "".split(",") returns [""]
        try:
            networks.append(ipaddress.ip_network(item, strict=False))
        except ValueError:
            raise InvalidSetting(
                f"holds {item!r}, no address or network.", 'Write "10.0.0.0/8" or "192.0.2.7".'
            ) from None
    return tuple(networks)


def paths(value: object) -> tuple[str, ...]:
    paths = tuple(filter(None, texts(value)))
    for path in paths:
        if not path.startswith("/"):
            raise InvalidSetting(f"holds {path!r}, which no path begins with.", f"Write {'/' + path!r}.")
    return paths


@dataclass(frozen=True)
class PathPatterns:
    """Mask a path: put "-" in place of each group of a matching pattern, or of the whole match if it has no group."""

    patterns: tuple[re.Pattern[str], ...]

    def __call__(self, path: str) -> str:
        for pattern in self.patterns:
            path = pattern.sub(_without_groups, path)
        return path


def _without_groups(found: re.Match[str]) -> str:
    if not found.re.groups:
        return "-"
    # From the right, so that the positions of groups further left stay valid. A group inside another one goes with it.
    # A group that took no part in the match has no position.
    text, begin, end = found[0], found.start(), found.end()
    for first, last in sorted({found.span(number) for number in range(1, found.re.groups + 1)}, key=_by_end):
        if first >= 0 and last <= end:
            text, end = f"{text[: first - begin]}-{text[last - begin :]}", first
    return text


def _by_end(span: tuple[int, int]) -> tuple[int, int]:
    return -span[1], span[0]


def masked_paths(value: object) -> Callable[[str], str] | None:
    """Read what to mask in a path: patterns, a callable that returns the masked path, or the callable's dotted path."""
    if value is None or isinstance(value, str) or callable(value):
        return callable_or_none(value)
    patterns = []
    for written in texts(value):
        try:
            patterns.append(re.compile(written))
        except (re.error, OverflowError, RecursionError) as error:
            raise InvalidSetting(
                f"holds {written!r}, which is no regular expression: {error}.", 'Write r"^/orders/([^/]+)/thanks/$".'
            ) from None
    return PathPatterns(tuple(patterns)) if patterns else None


def domain(value: object) -> str:
    written = text(value)
    if not _DOMAIN.fullmatch(written):
        raise InvalidSetting(f"is {written!r}, no domain.", 'Write ".example.com", without https:// and port.')
    return written


def address(value: object) -> str:
    written = text(value).rstrip("/")
    if not written.startswith(("https://", "http://")) or not urlsplit(written).hostname:
        raise InvalidSetting(f"must be an address that begins with https://, and {written!r} isn't.")
    return written


def site_address(value: object) -> str:
    return address(value) if value != "" else ""  # "" if an environment variable is not set


def api_address(value: object) -> str:
    return address(value) + "/"  # TikTok's path ends in a slash; without it, TikTok does not find the route


def one_of(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        written = text(value).lower()
        if written not in choices:
            raise InvalidSetting(f"is {value!r}, not one of {', '.join(map(repr, choices))}.")
        return written

    return read


def number(least: float, most: float, kind: type = int) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        wanted = "a whole number" if kind is int else "a number"
        is_number = isinstance(value, (int, kind)) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:  # type: ignore[operator]
            raise InvalidSetting(f"must be {wanted} from {_shown(least)} to {_shown(most)}, not {value!r}.")
        return kind(value)

    return read


def _shown(number: float) -> str:
    return f"{number:,}".replace(",", "_").removesuffix(".0")


def consent(value: object) -> Callable[..., Any] | Rule | None:
    """Read a callable of the request, its dotted path, or a dict that names a consent tool."""
    if not isinstance(value, Mapping):
        return callable_or_none(value)
    try:
        return rule_of(value)
    except UnreadableConsent as error:
        raise InvalidSetting(str(error), 'Write {"cookie": "tiktok_consent"} or {"onetrust": "C0004"}.') from None


class OptOut(NamedTuple):
    """The site's own opt-out. If the rule answers "granted", the visitor has opted out; `effect` is the consequence."""

    rule: CookieRule
    effect: str


def opt_out(value: object) -> Callable[..., Any] | OptOut | None:
    """Read a callable of the request, its dotted path, or {"cookie": name, "value": text, "effect": effect}."""
    if not isinstance(value, Mapping):
        return callable_or_none(value)
    if not {"cookie"} <= value.keys() <= {"cookie", "value", "effect"}:
        raise InvalidSetting(
            'is a dict without "cookie", or with more than it.', 'Write {"cookie": "no_ads", "value": "1"}.'
        )
    effect = one_of(DENY, LIMIT)(value.get("effect", DENY))
    wanted = text(value.get("value", "1"))
    return OptOut(CookieRule(cookie=text(value["cookie"]), granted=words(wanted), denied="^$"), effect)


class Policy(NamedTuple):
    """How visitors of one region are treated. None: as the settings for all visitors say."""

    ask: bool | None = None
    on_gpc: str | None = None
    on_dnt: str | None = None
    limited_data_use: bool | None = None


def regions(value: object) -> Mapping[str, Policy]:
    """Read policies by region: {"US-CA": {"ASK": False, "ON_GPC": "deny", "LIMITED_DATA_USE": True}}."""
    found = {}
    read: dict[str, Callable[[object], Any]] = {
        "ASK": flag,
        "ON_GPC": one_of(*EFFECTS),
        "ON_DNT": one_of(*EFFECTS),
        "LIMITED_DATA_USE": flag,
    }
    for name, given in mapping(value).items():
        unknown = [key for key in mapping(given) if key not in read]
        if unknown:
            raise InvalidSetting(f"has {unknown[0]!r} for {name!r}.", f"Known keys: {', '.join(read)}.")
        found[str(name)] = Policy(**{key.lower(): read[key](one) for key, one in given.items()})
    return found


def bots(value: object) -> Callable[..., Any] | bool:
    """Read True for this app's short list of bots, False, or a callable of the user agent (or its dotted path)."""
    if isinstance(value, bool):
        return value
    found = callable_or_none(value)
    if found is None:
        raise InvalidSetting("must be True, False or a callable of the user agent.")
    return found
