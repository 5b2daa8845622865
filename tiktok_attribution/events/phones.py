"""Where text that people typed holds what looks like a phone number.

Numbers with a country code are judged by libphonenumber. National ones can't be told from other digits for sure, so
only forms that are written for people count: groups with separators, or ten to eleven digits from a zero on. The EAN
of a product (8, 12 or 13 digits), a date, a price and a size stay.

Every pattern takes time in proportion to the text: no repetition in it can match the same characters in two ways.
"""

from __future__ import annotations

import re

import phonenumbers

_MANY_DIGITS = re.compile(r"(?:\d[ ()./\-]{0,3}){7}")
_ABROAD = re.compile(r"(?:\+|\b00(?=[1-9]))[ (]{0,2}\d(?:[ ()./\-]{0,3}\d){6,}")
_GROUPS = (
    r"\(?0\d{1,5}\)?[ /-]{1,3}(?:\d{2,}(?:[ -]\d{2,}){1,4}|\d{4,})"  # (0171) 123 45 67, 01 23 45 67 89, 030 901820
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # (555) 010-0199, 555-010-0199
)
_GROUPED = re.compile(rf"(?<![\w.,+/-])(?:{_GROUPS})(?![\w-])")
_NATIONAL = re.compile(rf"(?<![\w.,+/-])(?:{_GROUPS}|0[1-9]\d{{8,9}})(?![\w-])")  # and 01711234567

# libphonenumber takes 50 to 300 µs for one candidate, 20 µs for each character of a text that is made of candidates, so
# it gets one candidate at a time and few of them. A text with more is not an ordinary one: there every candidate counts
# as a number. Asking it about all of them would take 0.2 s for 8 kB.
MOST_JUDGED = 5
MOST_TRIES = 4
_LONGEST = 80  # of a number, with all its separators


class PhoneSearch:
    """Looks through the texts of one value or one address, which share the number of candidates that are judged."""

    _left = MOST_JUDGED

    def cut(self, text: str) -> tuple[str, int]:
        """The text with "-" in place of each number, and how many there were."""
        if has_few_digits(text):
            return text, 0
        text, found = self._cut_abroad(text)
        text, more = _NATIONAL.subn("-", text)
        return text, found + more

    def cut_written(self, text: str) -> tuple[str, int]:
        """As `cut`, but digits in one piece stay, unless a plus sign stands before them."""
        if has_few_digits(text):
            return text, 0
        text, found = self._cut_abroad(text, is_bare_kept=True)
        text, more = _GROUPED.subn("-", text)
        return text, found + more

    def _cut_abroad(self, text: str, *, is_bare_kept: bool = False) -> tuple[str, int]:
        pieces, done, at = [], 0, 0
        while candidate := _ABROAD.search(text, at):
            begin, at = candidate.start(), candidate.start() + 1
            if is_bare_kept and candidate[0].isdigit():
                at = candidate.end()
            elif end := self._end(candidate):
                pieces.append(text[done:begin])
                done = at = end
        return "-".join([*pieces, text[done:]]), len(pieces)

    def _end(self, candidate: re.Match[str]) -> int:
        """Where the number ends that begins here; 0 for none."""
        if self._left == 0:
            return candidate.end()
        self._left -= 1
        written = candidate[0][:_LONGEST]
        number = "+" + written.removeprefix("+").removeprefix("00")
        for match in phonenumbers.PhoneNumberMatcher(number, None, max_tries=MOST_TRIES):
            return candidate.start() + len(written) - len(number) + int(match.end)
        return 0


def has_few_digits(text: str) -> bool:
    """Whether a text can't hold a number, nor any part of it."""
    return _MANY_DIGITS.search(text) is None


def without_phones(text: str) -> tuple[str, int]:
    """The text with "-" in place of each number, and how many there were."""
    return (text, 0) if has_few_digits(text) else PhoneSearch().cut(text)


def without_written_phones(text: str) -> tuple[str, int]:
    """The same, but digits in one piece stay, unless a plus sign stands before them."""
    return (text, 0) if has_few_digits(text) else PhoneSearch().cut_written(text)
