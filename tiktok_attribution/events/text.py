"""Text as it may leave: well-formed Unicode, no control characters, bounded, no e-mail address or phone number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

from ..exceptions import InvalidEvent
from .phones import without_phones

MAX_TEXT = 1000
"""Characters kept of a property's text. Ours: TikTok documents none, but a batch should stay under 1 MB."""

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\/?&=]{1,64}@[^\s@<>()\[\],;:\"\\/?&=]{1,190}\.[^\W\d_]{2,24}")
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
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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


def free_text(value: object, where: str, notes: list[str]) -> str:
    """Text that a person may have typed, without e-mail addresses and phone numbers, and not too long.

    Changes go to `notes`. Raises InvalidEvent for what is no scalar.
    """
    given = plain(value)
    if given is None:
        raise InvalidEvent(f"{where} must be text, not {type(value).__name__}")
    text, found = without_emails(tidy(given))
    if found:
        notes.append(f"{where}: an e-mail address was left out")
    text, found = without_phones(text)
    if found:
        notes.append(f"{where}: a phone number was left out")
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT].rstrip()
        notes.append(f"{where} was cut to {MAX_TEXT} characters")
    return text
