"""Where text that people typed holds what looks like a phone number.

Numbers with a country code are found by libphonenumber's own matcher. National ones can't be told from other digits for
sure, so only forms that are written for people count: groups with separators, or ten to eleven digits from a zero on.
A product's EAN (8, 12 or 13 digits), a date, a price and a size stay.
"""

from __future__ import annotations

import re

import phonenumbers

_MANY_DIGITS = re.compile(r"(?:\d[ ()./\-]{0,3}){7}")
_COUNTRY = re.compile(r"(?:\+|\b00)\d")
_PREFIX = re.compile(r"\b00(?=[1-9])")
_NATIONAL = re.compile(
    r"(?<![\w.,+/-])(?:"
    r"\(?0\d{1,5}\)?[ /-]{1,3}\d{2,}(?:[ -]?\d{2,}){1,4}"  # 030 901820, (0171) 123 45 67, 01 23 45 67 89
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # (555) 010-0199, 555-010-0199
    r"|0[1-9]\d{8,9}"  # 01711234567
    r")(?![\w-])"
)


def has_few_digits(text: str) -> bool:
    """Whether a text can't hold a number, nor any part of it."""
    return _MANY_DIGITS.search(text) is None


def without_phones(text: str) -> tuple[str, int]:
    """The text with "-" in place of each number, and how many there were."""
    if has_few_digits(text):
        return text, 0
    found = 0
    if _COUNTRY.search(text):
        spoken = _PREFIX.sub("+", text)
        matches = list(phonenumbers.PhoneNumberMatcher(spoken, None))
        for match in reversed(matches):
            spoken = f"{spoken[: match.start]}-{spoken[match.end :]}"
        text, found = (spoken, len(matches)) if matches else (text, 0)
    text, more = _NATIONAL.subn("-", text)
    return text, found + more
