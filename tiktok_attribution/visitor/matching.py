"""Read the keys by which TikTok matches a person: the click id, and the keys of an object or a user.

`from_query` takes the click id from a landing address; `clean` checks one. `identified` reads the keys that a mapping
names; `hashed` normalises and hashes them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import DatabaseError

from tiktok_attribution import conf
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import User
from tiktok_attribution.events.hashing import (
    email_sha256,
    external_id_sha256,
    hash_many,
    name_sha256,
    phone_sha256,
    place,
    zip_sha256,
)
from tiktok_attribution.events.page_url import decoded
from tiktok_attribution.events.sanitize import holds_email
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import reason
from tiktok_attribution.visitor.page import read
from tiktok_attribution.visitor.request_data import locale, public_address, user_agent

COOKIE = "ttclid"  # the name that TikTok's own tag templates use, so that both read one cookie
PARAMETER = "ttclid"
MOST_CHARACTERS = 1000  # opaque, its length is not documented; 501 characters were seen
MOST_ENCODED = 3 * MOST_CHARACTERS
MOST_PARAMETERS = 100
_BEGINNING = f"{PARAMETER}="


def from_query(query: str) -> str:
    """Return the click id of a raw query string, "" if there is none. Of a repeated parameter the last one counts."""
    if _BEGINNING not in query or query.count("&") >= MOST_PARAMETERS:
        return ""
    values = [part.removeprefix(_BEGINNING) for part in query.split("&") if part.startswith(_BEGINNING)]
    value = next(filter(None, reversed(values)), "")
    return clean(decoded(value.replace("+", " "))) if len(value) <= MOST_ENCODED else ""


def clean(value: str) -> str:
    """Return a usable click id, else "". TikTok decides its form. Refused: what no header can hold, and an e-mail."""
    value = value.strip()
    if len(value) > MOST_CHARACTERS or not value.isascii() or not value.isprintable() or holds_email(value):
        return ""
    return value


MANY = ("email", "phone", "external_id")
SINGLE: Mapping[str, Callable[[Any], str | None]] = {
    "first_name": name_sha256,
    "last_name": name_sha256,
    "zip_code": zip_sha256,
    "city": place,
    "state": place,
    "country": place,
}
RAW: Mapping[str, Callable[[str], str]] = {
    "ttclid": clean,
    "ttp": clean,
    "ip": public_address,
    "user_agent": user_agent,
    "locale": locale,
}
KEYS = (*MANY, *SINGLE, *RAW)


@errors_without_values
def identified(obj: object, mapping: Mapping[str, Any], *, strict: bool = False) -> tuple[User, list[str]]:
    """Read the mapped keys of an object: {"email": "email", "phone": ["phone", "mobile"]}. Return user and notes.

    A key that can't be read is left out with a note; with `strict` it raises. A database error always raises, because
    it has spoilt the transaction.
    """
    found, notes = {}, []
    for key, paths in mapping.items():
        try:
            listed = paths if isinstance(paths, (list, tuple)) else [paths]
            found[key] = [one for path in listed for one in _listed(read(obj, path))]
        except DatabaseError:
            raise
        except Exception as error:
            if strict:
                raise
            notes.append(f"{key} left out: {reason(error)}")
    user, more = hashed(found)
    return user, notes + more


@errors_without_values
def hashed(values: Mapping[str, Any]) -> tuple[User, list[str]]:
    """Normalise and hash matching keys, plain or hashed already. Return the user, and a note for each one left out.

    An unusable phone number drops the phone, not the purchase. Raises InvalidEvent for a key that TikTok doesn't know.
    """
    keys: dict[str, Any] = {}
    notes = []
    region = conf.current().phone_region
    for key, value in values.items():
        if key not in KEYS:
            raise InvalidEvent(f"user has no key {_shown(key)}. Known keys: {', '.join(KEYS)}.")
        given = [item for item in _listed(value) if item is not None and item != ""]
        if not given:
            continue
        if key in MANY:
            keys[key] = hash_many(given, _hasher(key, region))
        elif key in SINGLE:
            keys[key] = SINGLE[key](given[0]) or ""
        else:
            keys[key] = RAW[key](str(given[0]))
        if not keys[key]:
            notes.append(f"{key} left out: {_reason(key, region)}.")
    return User(**keys), notes


def _shown(key: object) -> str:
    return repr(key) if isinstance(key, str) and key.isidentifier() else "(not shown)"


def _listed(value: object) -> list[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _hasher(key: str, region: str) -> Callable[[Any], str | None]:
    if key == "phone":
        return lambda value: phone_sha256(value, region)
    return email_sha256 if key == "email" else external_id_sha256


def _reason(key: str, region: str) -> str:
    if key == "phone":
        return "not a phone number" if region else "not a phone number with country code (see PHONE_REGION)"
    return {"email": "not an e-mail address", "ip": "not a public address"}.get(key, "unusable")
