"""Where text that people typed holds what looks like a phone number.

Numbers with a country code are judged by libphonenumber. National ones can't be told from other digits for sure, so only
forms that are written for people count: groups with separators, or ten to eleven digits from a zero on. A product's EAN
(8, 12 or 13 digits), a date, a price and a size stay.

Every pattern takes time in proportion to the text: no repetition in it can match the same characters in two ways.
"""

from __future__ import annotations

import re

import phonenumbers

_MANY_DIGITS = re.compile(r"(?:\d[ ()./\-]{0,3}){7}")
_ABROAD = re.compile(r"(?:\+|\b00(?=[1-9]))[ (]{0,2}\d(?:[ ()./\-]{0,3}\d){6,19}")
_NATIONAL = re.compile(
    r"(?<![\w.,+/-])(?:"
    r"\(?0\d{1,5}\)?[ /-]{1,3}(?:\d{2,}(?:[ -]\d{2,}){1,4}|\d{4,})"  # (0171) 123 45 67, 01 23 45 67 89, 030 901820
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # (555) 010-0199, 555-010-0199
    r"|0[1-9]\d{8,9}"  # 01711234567
    r")(?![\w-])"
)

# libphonenumber takes 50 to 300 µs for one candidate, 20 µs for each character of a text that is made of candidates, so
# it gets one candidate at a time and few of them. A text with more is not an ordinary one: there every candidate counts
# as a number. Asking it about all of them would take 0.2 s for 8 kB.
MOST_JUDGED = 8
MOST_TRIES = 4


class PhoneSearch:
    """Looks through the texts of one value or one address, which share the number of candidates that are judged."""

    def __init__(self) -> None:
        self._left = MOST_JUDGED
        self._found = 0

    def cut(self, text: str) -> tuple[str, int]:
        """The text with "-" in place of each number, and how many there were."""
        if has_few_digits(text):
            return text, 0
        self._found = 0
        text, more = _NATIONAL.subn("-", _ABROAD.sub(self._judge, text))
        return text, self._found + more

    def _judge(self, candidate: re.Match[str]) -> str:
        written = candidate[0]
        if self._left == 0:
            self._found += 1
            return "-"
        self._left -= 1
        number = "+" + written.removeprefix("+").removeprefix("00")
        for match in phonenumbers.PhoneNumberMatcher(number, None, max_tries=MOST_TRIES):
            self._found += 1
            return f"-{number[match.end :]}"
        return written


def has_few_digits(text: str) -> bool:
    """Whether a text can't hold a number, nor any part of it."""
    return _MANY_DIGITS.search(text) is None


def without_phones(text: str) -> tuple[str, int]:
    """The text with "-" in place of each number, and how many there were."""
    return (text, 0) if has_few_digits(text) else PhoneSearch().cut(text)
