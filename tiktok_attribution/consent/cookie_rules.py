"""Read the visitor's answer from a cookie or the session, by a rule that the setting CONSENT describes.

`rule_of` makes the rule from a dict, with ready rules for consent tools. A `CookieRule` has two patterns. A value that
is not well-formed is no answer. Usercentrics stores its answers outside cookies, apart from the TC string (its
knowledge base says so). With it, use "tcf", or call the JavaScript hook from its events.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tiktok_attribution.consent.tcf import COOKIE as TCF_COOKIE
from tiktok_attribution.consent.tcf import PURPOSES, TcfRule
from tiktok_attribution.consent.types import MOST_CHARACTERS, Consent

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


# Decision: a cookie rule is data. The settings' reader builds it, and Python and the page's gate run the same rule. So
# the patterns use only what Python and JavaScript read alike.
@dataclass(frozen=True, slots=True, kw_only=True)
class CookieRule:
    """Patterns for consent and refusal. `granted` and `denied` are searched in the decoded value of `cookie`.

    With `answered_by`, a refusal counts only if that cookie exists too. `is_own` marks the cookie that only this app's
    JavaScript hook writes.
    """

    cookie: str
    granted: str
    denied: str
    answered_by: str = ""
    is_own: bool = False

    def read(self, cookies: Mapping[str, str]) -> Consent:
        """Return the answer in these cookies. Never raises."""
        text = decoded(cookies.get(self.cookie, ""))
        if not text:
            return Consent.UNKNOWN
        if re.search(self.granted, text):
            return Consent.GRANTED
        is_answered = not self.answered_by or bool(cookies.get(self.answered_by))
        return Consent.DENIED if is_answered and re.search(self.denied, text) else Consent.UNKNOWN

    def as_data(self) -> dict[str, Any]:
        """Return the rule as data for the page's script."""
        return {
            "cookie": self.cookie,
            "granted": self.granted,
            "denied": self.denied,
            "by": self.answered_by,
            "own": self.is_own,
        }


def decoded(value: str) -> str:
    """Percent-decode a cookie's value. "" for what JavaScript would refuse to decode, or no browser would keep."""
    if len(value) > MOST_CHARACTERS or _BAD_ESCAPE.search(value):
        return ""
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError:
        return ""
    return "" if _CONTROL.search(text) else text  # "$" would match before a line feed, and in JavaScript it does not


def words(*values: str) -> str:
    """Build a pattern for exactly one of these values."""
    return f"^(?:{'|'.join(map(re.escape, values))})$"


def other_words(*values: str) -> str:
    """Build a pattern for any value except these."""
    return f"^(?!(?:{'|'.join(map(re.escape, values))})$)"


OWN_COOKIE = "tiktok_consent"
"""Cookie that this app's JavaScript hook writes: `tiktokAttribution.consent(true)`."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 6265, a cookie's name


class UnreadableConsent(ValueError):
    """A dict that describes no rule. The message completes "CONSENT …"."""


@dataclass(frozen=True, slots=True)
class SessionRule:
    """The answer is in Django's session under `key`: True, False, or the value of a Consent."""

    key: str


Rule = CookieRule | TcfRule | SessionRule


def rule_of(spec: Mapping[str, Any]) -> Rule:
    """Make the rule that a dict describes. Raises UnreadableConsent."""
    found = [kind for kind in _RULE_TYPES if kind in spec]
    if len(found) != 1:
        raise UnreadableConsent(f"names no consent tool, or several. Write one of {', '.join(map(repr, _RULE_TYPES))}.")
    make, known = _RULE_TYPES[found[0]]
    unknown = [key for key in spec if key not in known]
    if unknown:
        raise UnreadableConsent(f"has no key {unknown[0]!r} beside {found[0]!r}. Known keys: {', '.join(known)}.")
    return make(spec)


def _cookie(spec: Mapping[str, Any]) -> CookieRule:
    name = _named(spec["cookie"])
    granted = _values(spec.get("granted", "granted"), "granted")
    # Without a list of refusals, every other value counts as one: the safe side.
    default = "denied" if "granted" not in spec else None
    given = spec.get("denied", default)
    denied = other_words(*granted) if given is None else words(*_values(given, "denied"))
    return CookieRule(cookie=name, granted=words(*granted), denied=denied, is_own=name == OWN_COOKIE)


def _session(spec: Mapping[str, Any]) -> SessionRule:
    return SessionRule(_text(spec["session"], "session"))


def _tcf(spec: Mapping[str, Any]) -> TcfRule:
    given = spec["tcf"]
    if not isinstance(given, Mapping) or not {"vendor"} <= given.keys() <= {"vendor", "purposes", "cookie"}:
        raise UnreadableConsent(
            'has a "tcf" that is not {"vendor": number or None}, with "purposes" and "cookie" where needed.'
        )
    vendor, purposes = given["vendor"], given.get("purposes", PURPOSES)
    if vendor is not None and not _is_number(vendor, 65_535):
        raise UnreadableConsent(f'has a "vendor" that is {vendor!r}, and not a number from 1 to 65535 or None.')
    if not isinstance(purposes, (list, tuple)) or not purposes or not all(_is_number(one, 24) for one in purposes):
        raise UnreadableConsent('has "purposes" that are not a list of numbers from 1 to 24.')
    return TcfRule(vendor=vendor, purposes=tuple(purposes), cookie=_named(given.get("cookie", TCF_COOKIE)))


def _onetrust(spec: Mapping[str, Any]) -> CookieRule:
    """Make the rule for OneTrust's cookie OptanonConsent: "…&groups=C0001:1,C0004:0&…".

    The cookie exists before the visitor is asked, with the defaults of the region. So a 0 is an answer only once the
    banner was closed.
    """
    group = re.escape(_text(spec["onetrust"], "onetrust"))
    entry = f"(?:^|&)groups=(?:[^&]*,)?{group}:"
    return CookieRule(
        cookie="OptanonConsent",
        granted=f"{entry}1(?:[,&]|$)",
        denied=f"{entry}0(?:[,&]|$)",
        answered_by="OptanonAlertBoxClosed",
    )


def _cookiebot(spec: Mapping[str, Any]) -> CookieRule:
    """Make the rule for Cookiebot's CookieConsent: "{stamp:'…',marketing:false,…}", or "-1" if no one must be asked."""
    category = _text(spec["cookiebot"], "cookiebot")
    if category not in ("preferences", "statistics", "marketing"):
        raise UnreadableConsent('has a "cookiebot" that is no category: write "marketing".')
    return CookieRule(
        cookie="CookieConsent",
        granted=f"^-1$|[{{,]{category}:true[,}}]",
        denied=f"[{{,]{category}:false[,}}]",
    )


def _consent_mode(spec: Mapping[str, Any]) -> CookieRule:
    """Make the rule for a cookie with the states of Google's Consent Mode, which has no cookie of its own.

    Sites keep the states as JSON or pairs ("ad_storage": "granted"), or as the text that Google's tags send (gcs). That
    is "G1", a digit for ad_storage, then one for analytics_storage.
    """
    state = r"(?:^|[^a-z_])ad_storage[^a-z]{1,6}"
    return CookieRule(
        cookie=_named(spec["consent_mode"]),
        granted=f"^G11[01-]$|{state}granted(?:[^a-z]|$)",
        denied=f"^G10[01-]$|{state}denied(?:[^a-z]|$)",
    )


_RULE_TYPES: dict[str, tuple[Callable[[Mapping[str, Any]], Rule], tuple[str, ...]]] = {
    "cookie": (_cookie, ("cookie", "granted", "denied")),
    "session": (_session, ("session",)),
    "tcf": (_tcf, ("tcf",)),
    "onetrust": (_onetrust, ("onetrust",)),
    "cookiebot": (_cookiebot, ("cookiebot",)),
    "consent_mode": (_consent_mode, ("consent_mode",)),
}


def _text(value: object, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise UnreadableConsent(f"has a {key!r} that is not text.")
    return value


def _named(value: object) -> str:
    name = _text(value, "cookie")
    if not _NAME.fullmatch(name):
        raise UnreadableConsent(f"names the cookie {name!r}, which no cookie can be called.")
    return name


def _values(given: object, key: str) -> tuple[str, ...]:
    listed = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    return tuple(_text(one, key) for one in listed)


def _is_number(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
