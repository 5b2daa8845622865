"""Matching keys of an object or a user: read by a mapping, normalised and hashed at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.views.decorators.debug import sensitive_variables

from tiktok_attribution import conf
from tiktok_attribution.events import User
from tiktok_attribution.events.identity import (
    email_sha256,
    external_id_sha256,
    hash_many,
    name_sha256,
    phone_sha256,
    place,
    zip_sha256,
)
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.paths import resolve

MANY = ("email", "phone", "external_id")
SINGLE: Mapping[str, Callable[[Any], str | None]] = {
    "first_name": name_sha256,
    "last_name": name_sha256,
    "zip_code": zip_sha256,
    "city": place,
    "state": place,
    "country": place,
}
RAW = ("ttclid", "ttp", "ip", "user_agent", "locale")
KEYS = (*MANY, *SINGLE, *RAW)


def identified(obj: object, mapping: Mapping[str, Any]) -> tuple[User, list[str]]:
    """Read the mapped keys of an object: {"email": "email", "phone": ["phone", "mobile"]}. Returns user and notes."""
    found = {}
    for key, paths in mapping.items():
        listed = [paths] if isinstance(paths, str) else paths
        found[key] = [path(obj) if callable(path) else resolve(obj, path) for path in listed]
    return hashed(found)


@sensitive_variables()
def hashed(values: Mapping[str, Any]) -> tuple[User, list[str]]:
    """Plain or already hashed values to what is sent, and a note for each that was unusable and left out.

    An unusable phone drops the phone, not the purchase. Raises InvalidEvent for a key that TikTok doesn't know.
    """
    keys: dict[str, Any] = {}
    notes = []
    region = conf.current().phone_region
    for key, value in values.items():
        if key not in KEYS:
            raise InvalidEvent(f"user has no key {key!r}. Known keys: {', '.join(KEYS)}.")
        given = [item for item in _listed(value) if item not in (None, "")]
        if not given:
            continue
        if key in MANY:
            keys[key] = hash_many(given, _hasher(key, region))
        elif key in SINGLE:
            keys[key] = SINGLE[key](given[0]) or ""
        else:
            keys[key] = str(given[0])
        if not keys[key]:
            notes.append(f"{key} left out: {_reason(key, region)}.")
    return User(**keys), notes


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _hasher(key: str, region: str) -> Callable[[Any], str | None]:
    if key == "phone":
        return lambda value: phone_sha256(value, region)
    return email_sha256 if key == "email" else external_id_sha256


def _reason(key: str, region: str) -> str:
    if key == "phone":
        return "not a phone number" if region else "not a phone number with country code (see PHONE_REGION)"
    return "not an e-mail address" if key == "email" else "unusable"
