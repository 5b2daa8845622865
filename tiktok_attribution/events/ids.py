"""Event ids: TikTok counts pixel + event + event_id once, so an id is made from what the conversion is."""

from __future__ import annotations

import hashlib
import uuid

from ..exceptions import InvalidEvent
from .text import holds_email

MAX_LENGTH = 128
"""Ours, so that a unique index holds it on every engine. TikTok documents none."""


def object_event_id(label: str, pk: object) -> str:
    """ "order-42": the same for the same object, whichever worker, save or backfill asks.

    A key that is long or holds an e-mail address takes part as a digest, for TikTok gets this text plain.
    """
    parts = pk if isinstance(pk, tuple) else (pk,)  # a composite primary key is a tuple
    if not label or any(part is None or str(part) == "" for part in parts):
        raise InvalidEvent("an event id needs a label and the primary key of a saved object")
    key = "-".join(str(part) for part in parts)
    plain = f"{label}-{key}"
    if not _fault(plain):
        return plain.strip()
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return valid_event_id(f"{label}-{digest[:32]}")


def random_event_id() -> str:
    """For an event that has no object. Made once, then rendered to both halves."""
    return uuid.uuid4().hex


def valid_event_id(v: object) -> str:
    """The id as text, out of text, whole number or UUID. Raises InvalidEvent, which does not repeat it."""
    if isinstance(v, (int, uuid.UUID)) and not isinstance(v, bool):
        v = str(v)
    if not isinstance(v, str):
        raise InvalidEvent(f"event_id is text, not {type(v).__name__}")
    text = str.__str__(v).strip()
    fault = _fault(text)
    if fault:
        raise InvalidEvent(f"event_id {fault}")
    return text


def _fault(text: str) -> str:
    if not text:
        return "is empty"
    if len(text) > MAX_LENGTH:
        return f"has {len(text)} characters, at most {MAX_LENGTH} are kept"
    if not text.isprintable():
        return "holds control characters or other text that can't be printed"
    if holds_email(text):
        return "holds an e-mail address, and TikTok would get it plain: use a number or a digest"
    return ""
