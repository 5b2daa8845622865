"""Build the wire format: Events API 2.0 for the web, `POST /open_api/v1.3/event/track/`, and the pixel call.

The root has `event_source` "web", `event_source_id` (the pixel code) and `data`, a list of 1 to 1000 event objects. An
event object is made once, when the event happens, kept as text, and joined into a body unchanged. So a repeat is the
same byte for byte, and TikTok sees the same event_id and event_time. TikTok refuses wrong types: event_id and
content_id are text, event_time is whole seconds, value and price are numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tiktok_attribution.events.properties import properties
from tiktok_attribution.events.sanitize import well_formed
from tiktok_attribution.events.types import MAX_VALUES, BrowserCall, Event, Page, User
from tiktok_attribution.exceptions import InvalidEvent

__all__ = [
    "MAX_EVENTS",
    "browser_call",
    "browser_call_of_text",
    "event_of_text",
    "event_text",
    "properties",
    "request_body",
]

MAX_EVENTS = 1000
"""Events in one request. TikTok refuses the whole of a larger request."""

# ASCII only: the bytes are the same in a database of any charset, and the length is the size.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode

_HASH_LISTS = ("email", "phone", "external_id")
_SCALARS = (
    "first_name", "last_name", "zip_code", "city", "state", "country",
    "ttclid", "ttp", "ip", "user_agent", "locale",
)  # fmt: skip


# Decision: one `Event`, two channels. The stored text is the server's body, and the pixel call is rendered from the
# same event. So both channels have the same name, event_id and properties.
def event_text(event: Event) -> str:
    """Encode one object of `data` as compact ASCII JSON, keys in a fixed order, without empty ones.

    Raises InvalidEvent naming the property that is not JSON.
    """
    sent: dict[str, Any] = {
        "event": event.name,
        "event_time": event.event_time,
        "event_id": event.event_id,
    }
    user = _user(event.user)
    if user:
        sent["user"] = user
    addresses = {"url": event.page.url, "referrer": event.page.referrer}
    page = {key: well_formed(address) for key, address in addresses.items() if address}
    if page:
        sent["page"] = page
    if event.properties:
        sent["properties"] = dict(event.properties)
    if event.limited_data_use:
        sent["limited_data_use"] = True
    try:
        return _encode(sent)
    except (TypeError, ValueError, RecursionError):
        raise InvalidEvent(f"properties.{_unfit_key(event)} is not plain JSON") from None


def request_body(pixel_code: str, texts: Sequence[str], test_event_code: str = "") -> bytes:
    """Join stored texts into the body of one POST, without parsing them. Raises ValueError unless there are 1 to
    1000."""
    if not 1 <= len(texts) <= MAX_EVENTS:
        raise ValueError(f"a request carries 1 to {MAX_EVENTS} events, not {len(texts)}")
    test = f'"test_event_code":{_encode(test_event_code)},' if test_event_code else ""
    head = f'{{"event_source":"web","event_source_id":{_encode(pixel_code)},{test}"data":['
    return f"{head}{','.join(texts)}]}}".encode()


def browser_call(event: Event) -> BrowserCall:
    """Return the pixel call of an event, with the same properties."""
    return BrowserCall(name=event.name, properties=event.properties, event_id=event.event_id)


def browser_call_of_text(text: str) -> BrowserCall:
    """Return the pixel call of a stored event. Raises InvalidEvent if the text is no event, or was cleared."""
    try:
        sent = json.loads(text)
        own = sent.get("properties", {})
        return BrowserCall(name=sent["event"], properties=own, event_id=sent["event_id"])
    except (ValueError, TypeError, KeyError, AttributeError):
        # `from None`, because a JSONDecodeError holds the whole text.
        raise InvalidEvent("the stored text is no event, or was cleared") from None


def event_of_text(text: str) -> Event:
    """Read back the event that `event_text` encoded. Raises InvalidEvent if the text is no event, or was cleared."""
    try:
        sent = json.loads(text)
        keys: dict[str, Any] = {
            key: (tuple(value) if isinstance(value, list) else (value,)) if key in _HASH_LISTS else value
            for key, value in sent.get("user", {}).items()
        }
        return Event(
            name=sent["event"],
            event_id=sent["event_id"],
            event_time=sent["event_time"],
            user=User(**keys),
            page=Page(**sent.get("page", {})),
            properties=sent.get("properties", {}),
            limited_data_use=sent.get("limited_data_use", False),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidEvent("the stored text is no event, or was cleared") from None


def _user(user: User) -> dict[str, str | list[str]]:
    """Build `user`. One value is text, several are a list: TikTok's own code sends texts, its reference shows lists."""
    sent: dict[str, str | list[str]] = {}
    for key in _HASH_LISTS:
        values = getattr(user, key)
        if values:
            sent[key] = values[0] if len(values) == 1 else list(values[:MAX_VALUES])
    for key in _SCALARS:
        text = getattr(user, key)
        if text:
            sent[key] = well_formed(text)
    return sent


def _unfit_key(event: Event) -> str:
    for key, value in event.properties.items():
        try:
            _encode({key: value})
        except (TypeError, ValueError, RecursionError):
            return str(key)
    return "(unknown)"
