"""Normalise and hash matching keys: SHA-256 over UTF-8, as lower-case hex, without salt.

There is one hasher for each key (`email_sha256`, `phone_sha256`, …). A hasher returns None for an unusable value. The
key is then left out, never guessed, and nothing empty is hashed. No hasher raises for a value, so no plain value can
reach a message or a traceback. `match_bits` stores which keys an event has, `search_key` a number to find it by.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable

import phonenumbers

from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.sanitize import plain
from tiktok_attribution.events.types import MAX_VALUES, SHA256_OF_NOTHING, User

REGIONS: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""Two-letter codes that are valid as the region of a phone number without country code."""

_LONGEST = 512
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # encode() would raise, with the whole value in the exception
_HASHED = re.compile(r"[0-9a-fA-F]{64}")
_EMAIL = re.compile(r"[^@<>()\[\],;:\"\\]+@[^@<>()\[\],;:\"\\.]+(?:\.[^@<>()\[\],;:\"\\.]+)+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_UNSEEN = ("Pd", "Cf", "Cc")  # dashes and characters that do not print
_NOT_A_DIGIT = re.compile(r"[^0-9+]")
_POSSIBLE = phonenumbers.ValidationResult.IS_POSSIBLE
_COUNTRY_WRITTEN = (
    phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
    phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_IDD,
)


@errors_without_values
def email_sha256(v: object) -> str | None:
    """Hash an e-mail address: lower-case, without white space. Dots and +tags stay, also for Gmail, as TikTok
    writes."""
    text = _given(v)
    if _HASHED.fullmatch(text):
        return _passed(text)
    text = "".join(text.split())
    if not text.isascii():
        printed = (c for c in text if unicodedata.category(c) != "Cf")  # removes a pasted byte order mark, for instance
        text = unicodedata.normalize("NFC", "".join(printed))
    text = text.lower()
    return _digest(text) if _EMAIL.fullmatch(text) else None


@errors_without_values
def phone_sha256(v: object, region: str = "") -> str | None:
    """Normalise a phone number to E.164 with its plus sign, and hash it.

    `region` ("US") completes numbers without country code. Without a region those are left out. Numbers of China keep
    their +86, as in TikTok's reference of 2026. TikTok's older texts hashed the national number alone.
    """
    # Decision: `phonenumbers` is a dependency and not an extra. A phone number that is hashed in the wrong form matches
    # no person, and the site would not notice.
    text = _given(v)
    if _HASHED.fullmatch(text):
        return _passed(text)
    text, region = unicodedata.normalize("NFKC", text), region.upper()
    number = "" if any(map(str.isalpha, text)) else _e164(text, region if region in REGIONS else None)
    return _digest(number) if _E164.fullmatch(number) else None


@errors_without_values
def external_id_sha256(v: object) -> str | None:
    """Hash an external id: trimmed, case kept, as in TikTok's tag templates. Pixel and server must use equal text."""
    text = _given(v)
    return _passed(text) if _HASHED.fullmatch(text) else _digest(text)


@errors_without_values
def name_sha256(v: object) -> str | None:
    """Hash a first or last name: lower-case letters, marks and digits, without white space and punctuation."""
    text = _given(v)
    if _HASHED.fullmatch(text):
        return _passed(text)
    kept = (c for c in unicodedata.normalize("NFC", text).lower() if unicodedata.category(c)[0] in "LMN")
    return _digest("".join(kept))


@errors_without_values
def zip_sha256(v: object) -> str | None:
    """Hash a postal code: lower-case, without spaces and dashes."""
    text = _given(v)
    if _HASHED.fullmatch(text):
        return _passed(text)
    folded = unicodedata.normalize("NFKC", text).lower()
    return _digest("".join(c for c in folded if not c.isspace() and unicodedata.category(c) not in _UNSEEN))


@errors_without_values
def place(v: object) -> str:
    """Normalise a city, state or country. It is sent plain, as ASCII letters and digits: "São Paulo" as "saopaulo"."""
    folded = unicodedata.normalize("NFKD", _given(v).casefold())
    return "".join(c for c in folded if c.isascii() and c.isalnum())


@errors_without_values
def hash_many(values: object, hasher: Callable[[object], str | None]) -> tuple[str, ...]:
    """Hash one value or several. Return the usable hashes, each once and in order, at most `MAX_VALUES`."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        values = (values,)
    unique: dict[str, None] = {}
    for value in values:
        digest = hasher(value)
        if digest is not None:
            unique[digest] = None
        if len(unique) == MAX_VALUES:
            break
    return tuple(unique)


def _given(v: object) -> str:
    """Return the trimmed text of a value. Empty if there is none, or if it is too long or not well-formed."""
    text = (plain(v) or "").strip()
    return text if len(text) <= _LONGEST and (text.isascii() or _SURROGATE.search(text) is None) else ""


def _digest(text: str) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest() if text else None


# 64 hex digits count as hashed already. Whether they are the hash of a hash can't be seen.
def _passed(text: str) -> str | None:
    digest = text.lower()
    return None if digest == SHA256_OF_NOTHING else digest


def _e164(text: str, region: str | None) -> str:
    """Return the number with plus sign and country code, or "". The library drops trunk zeros, and keeps Italy's."""
    number = _parsed(text, region)
    if number is None or number.country_code_source not in _COUNTRY_WRITTEN:
        digits = _NOT_A_DIGIT.sub("", text)
        if digits.startswith("00"):  # an international prefix, if the region has no other
            return _e164("+" + digits[2:], None)
        # The country is a guess here, so the rest of the number must fit it.
        if number is None or phonenumbers.is_possible_number_with_reason(number) != _POSSIBLE:
            return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None


MATCH_KEYS = (
    *("ttclid", "ttp", "email", "phone", "external_id", "ip", "user_agent", "locale"),
    *("first_name", "last_name", "zip_code", "city", "state", "country"),
)
"""The keys of `types.User` in the order of their bits. Add new ones only at the end, because the numbers are stored."""


def match_bits(user: User) -> int:
    """Return the keys that a user has, as bits: bit n for `MATCH_KEYS[n]`.

    The number stays in the row after its text has been cleared. Match quality depends on how many events have each key
    (TikTok's help on Event Match Quality). The weights are not published.
    """
    return sum(1 << bit for bit, key in enumerate(MATCH_KEYS) if getattr(user, key))


def keys_of_bits(bits: int) -> tuple[str, ...]:
    """Return the keys of a number that `match_bits` made."""
    return tuple(key for bit, key in enumerate(MATCH_KEYS) if bits >> bit & 1)


def search_key(sha256: str) -> int | None:
    """Return the first 8 bytes of a SHA-256 hex as a signed number, to find events by. None for an empty text.

    An index over it is a seventh of the size of one over the hex. In a million people, two share a number with a chance
    of about 10^-8. So a result is compared with the whole hash wherever that matters.
    """
    # Decision: a search for a person leads to this number, and 8 bytes of the hash are in the admin's address. They are
    # enough to find the events by their index, and useless to TikTok or anyone else for matching.
    return int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True) if sha256 else None
