"""An answer in a cookie, told by two patterns. Server and page read it by the same rule, so both use the same data.

The patterns keep to what Python and JavaScript understand alike. A value that is not well-formed is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tiktok_attribution.consent.answer import Consent

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
MOST_CHARACTERS = 8000  # browsers keep 4096 a cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieRule:
    """`granted` and `denied` are searched in the decoded value of `cookie`; a denial may need `answered_by` as well.

    `is_own` is a cookie that nobody but this app's JavaScript hook writes.
    """

    cookie: str
    granted: str
    denied: str
    answered_by: str = ""
    is_own: bool = False

    def read(self, cookies: Mapping[str, str]) -> Consent:
        """The answer of these cookies. Never raises."""
        text = decoded(cookies.get(self.cookie, ""))
        if not text:
            return Consent.UNKNOWN
        if re.search(self.granted, text):
            return Consent.GRANTED
        is_answered = not self.answered_by or bool(cookies.get(self.answered_by))
        return Consent.DENIED if is_answered and re.search(self.denied, text) else Consent.UNKNOWN

    def as_data(self) -> dict[str, Any]:
        """The rule for the page."""
        return {
            "cookie": self.cookie,
            "granted": self.granted,
            "denied": self.denied,
            "by": self.answered_by,
            "own": self.is_own,
        }


def decoded(value: str) -> str:
    """Percent-decoded; "" for what JavaScript would refuse to decode, or no browser would keep."""
    if len(value) > MOST_CHARACTERS or _BAD_ESCAPE.search(value):
        return ""
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError:
        return ""
    return "" if _CONTROL.search(text) else text  # "$" would match before a line feed, and not in JavaScript


def words(*values: str) -> str:
    """A pattern for exactly one of these values."""
    return f"^(?:{'|'.join(map(re.escape, values))})$"


def other_words(*values: str) -> str:
    """A pattern for any value but these."""
    return f"^(?!(?:{'|'.join(map(re.escape, values))})$)"
