"""Read what the stand-in's events.js posts for one call, and convert it to a row of the Events API.

The form is `{"type": "track" | "page" | "remark", "pixel", "event", "event_id", "properties", "user", "page",
"limited_data_use"}`; a remark has `text` instead of an event. It is the stand-in's own form: how TikTok's script talks
to its server is not documented.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from tiktok_attribution.events.names import PAGE_VIEW
from tiktok_attribution.testing.event_rules import is_number
from tiktok_attribution.testing.faults import refuse_in_our_words
from tiktok_attribution.testing.remarks import (
    HASHED_KEYS,
    Remark,
    is_hash,
    name_remarks,
    property_remarks,
    user_remarks,
    values_of,
)
from tiktok_attribution.testing.rules import read_object

# the key in identify -> the key in the Events API
SAME_KEYS = {"phone_number": "phone", "sha256_email": "email", "sha256_phone_number": "phone"}
NOT_HASHED = "(not hashed)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelCall:
    """One call of the browser. `body` is None if it contained only remarks."""

    pixel: str
    body: Mapping[str, Any] | None
    remarks: tuple[Remark, ...]


def read_call(raw: bytes, *, known_pixels: Container[str] | None, user_agent: str, ip: str) -> PixelCall:
    """Read a call. Raises RefusedError if it is none. Plain e-mails and phones are not kept, only that they came."""
    call = read_object(raw)
    if call is None:
        refuse_in_our_words(40002, "the body is not a JSON object")
    pixel = call.get("pixel") if isinstance(call.get("pixel"), str) else ""
    if call.get("type") == "remark":
        remark = Remark(text=str(call.get("text"))[:300])
        return PixelCall(pixel=pixel or "", body=None, remarks=(remark,))
    name = PAGE_VIEW if call.get("type") == "page" else call.get("event")
    if not pixel or not isinstance(name, str) or not name:
        refuse_in_our_words(40002, "pixel and event are required")
    event_id, texts = _event_id(call, name)
    user = _user(call)
    texts.extend(text for text in user_remarks({**user, "user_agent": "", "ip": ""}) if "hash" in text)
    properties = _object_in(call, "properties")
    texts.extend([*name_remarks(name), *property_remarks(name, properties)])
    if "value" in properties and not is_number(properties["value"]):
        texts.append("value is not a number")
    if known_pixels is not None and pixel not in known_pixels:
        texts.append(f"the stand-in knows no pixel {pixel[:60]!r}")
    body = {
        "event": name,
        "event_id": event_id,
        "user": {key: value for key, value in user.items() if values_of(value)} | {"ip": ip, "user_agent": user_agent},
        "page": _object_in(call, "page"),
        "properties": properties,
        "limited_data_use": call.get("limited_data_use") is True,
    }
    remarks = tuple(Remark(text=text, event=name, event_id=event_id) for text in texts)
    return PixelCall(pixel=pixel, body=body, remarks=remarks)


def _event_id(call: Mapping[str, Any], name: str) -> tuple[str, list[str]]:
    event_id = call.get("event_id")
    if isinstance(event_id, str) and event_id:
        return event_id, []
    if event_id not in (None, ""):
        return "", ["event_id in the browser is not text: the event can't merge with the server's"]
    if name == PAGE_VIEW:
        return "", []
    return "", ["no event_id in the third argument of ttq.track: the event merges with no other"]


def _user(call: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for given, value in _object_in(call, "user").items():
        key = SAME_KEYS.get(given, given)
        if key in HASHED_KEYS:
            found[key] = [one if is_hash(one) else NOT_HASHED for one in values_of(value)]
        else:
            found[key] = value
    return found


def _object_in(call: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = call.get(key)
    return found if isinstance(found, dict) else {}
