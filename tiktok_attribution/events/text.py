"""Text as it may leave: well-formed Unicode, no control characters, bounded, no e-mail address or phone number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

from tiktok_attribution.events.phones import has_few_digits, without_phones
from tiktok_attribution.exceptions import InvalidEvent

Cutter = Callable[[str], tuple[str, int]]
"""Returns the text without what it looks for, and how often that was there."""

MAX_TEXT = 1000
"""Characters kept of a property's text. Ours: TikTok documents none, but a batch should stay under 1 MB."""

MARGIN = 320
"""Characters behind a limit that are looked through as well: the longest e-mail address (RFC 3696, erratum 1690)."""
_LONGEST_EMAIL = 280  # that the pattern below finds
_LONGEST_NUMBER = 100  # with its separators

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\/?&=]{1,64}@[^\s@<>()\[\],;:\"\\/?&=]{1,190}\.[^\W\d_]{2,24}")
_LONE_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def plain(value: object) -> str | None:
    """The text of a scalar that identifies or names something (text, whole number, UUID, lazy text), or None.

    Never raises: what an exception of `__str__` says may hold the value.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, (bool, float, bytes, bytearray, Mapping, list, tuple, AbstractSet)):
        return None
    with suppress(Exception):  # a stranger's __str__ may raise anything
        return str(value)
    return None


def well_formed(text: str) -> str:
    """Lone surrogates become U+FFFD: as JSON they would be refused, and the whole batch with them."""
    with suppress(UnicodeEncodeError):
        text.encode()
        return text
    # A pattern, for the decoder's "replace" is a call for each of them.
    return _LONE_SURROGATE.sub("\ufffd", text).encode("utf-16", "surrogatepass").decode("utf-16")


def tidy(text: str) -> str:
    """One line of well-formed text without control characters and without space around it."""
    return _CONTROL.sub(" ", well_formed(text)).strip()


def holds_email(text: str) -> bool:
    """Whether text holds what looks like an e-mail address."""
    # The pattern is slow where there is none: it tries again from every character.
    return "@" in text and _EMAIL.search(text) is not None


def without_emails(text: str) -> tuple[str, int]:
    """The text with "-" in place of each address, and how many there were."""
    return _EMAIL.subn("-", text) if "@" in text else (text, 0)


# Whatever a visitor sends costs the same from some length on. So the text is cut twice: before it is looked through, a
# little behind the limit, or half an address at the limit would not be seen for one; and to the limit afterwards. What
# was cut out made the text shorter, so the end that the first cut left may stand before the limit. What it broke goes.
def bounded(text: str, limit: int, *cutters: Cutter) -> tuple[str, list[int], bool]:
    """One tidy line of at most `limit` characters, after each cutter has cut out what may not leave.

    Also how often each of them did, and whether the text was too long.
    """
    given = text.strip()
    is_broken = len(given) > limit + MARGIN
    line, found = tidy(given[: limit + MARGIN]), []
    for cutter in cutters:
        line, times = cutter(line)
        found.append(times)
    if is_broken:
        line = _without_broken_end(line)
    if len(line) > limit:
        return line[:limit].rstrip(), found, True
    return line, found, is_broken


def _without_broken_end(line: str) -> str:
    """Without its last word, of which the rest was cut off, and the groups of digits that may be the same number."""
    word = line[-_LONGEST_EMAIL:].rpartition(" ")[2]
    line = line.removesuffix(word)
    return line[:-_LONGEST_NUMBER] + line[-_LONGEST_NUMBER:].rstrip(" 0123456789()./+-")


def free_text(value: object, where: str, notes: list[str], phones: Cutter | None = None) -> str:
    """Text that a person may have typed, without e-mail addresses and phone numbers, and not too long.

    `phones` cuts out the numbers, `without_phones` by default. Changes go to `notes`. Raises InvalidEvent for what is
    no scalar.
    """
    given = plain(value)
    if given is None:
        raise InvalidEvent(f"{where} must be text, not {type(value).__name__}")
    if len(given) <= MAX_TEXT:
        line = tidy(given)
        if "@" not in line and has_few_digits(line):
            return line  # as nearly all are
    text, (emails, numbers), is_cut = bounded(given, MAX_TEXT, without_emails, phones or without_phones)
    if emails:
        notes.append(f"{where}: an e-mail address was left out")
    if numbers:
        notes.append(f"{where}: a phone number was left out")
    if is_cut:
        notes.append(f"{where} was cut to {MAX_TEXT} characters")
    return text
