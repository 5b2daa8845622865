"""Event ids and pixel codes.

TikTok counts pixel, event and event_id together once, so an event id is made from what the conversion is.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping

from tiktok_attribution.events.sanitize import holds_email, plain
from tiktok_attribution.exceptions import InvalidEvent

MAX_LENGTH = 128
"""Ours, so that a unique index holds it on every engine. TikTok documents none."""

MAX_CODE_LENGTH = 64
"""Of a pixel code, the width of its columns. TikTok's own have 20 characters."""

_TOKEN_FORM = re.compile(r"[0-9a-fA-F]{40}")  # the form that TikTok's access tokens are seen in


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
    """For an event that has no object. Made once, then rendered to both channels."""
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


# One rule for every source of a pixel code: the settings, a declaration, PIXEL_FOR_REQUEST, `track()`, a template tag,
# a stored snapshot. Every page shows a pixel code, so one with the form of an access token is refused. A code is never
# cut, since the rest of a wrong one could be somebody else's pixel. No message repeats a code: it may be a token.
def valid_pixel_codes(given: object) -> tuple[str, ...]:
    """Return one code or several as a tuple, each once, without empty ones. Raises InvalidEvent."""
    if given is None:
        return ()
    is_one = hasattr(given, "isalnum") or not isinstance(given, Iterable)  # also a lazy text, which iterates
    if isinstance(given, Mapping):
        raise InvalidEvent("pixel codes are text or a list of texts, not a dict")
    codes: dict[str, None] = {}
    for one in [given] if is_one else given:  # type: ignore[attr-defined]
        code = plain(one)
        if code is None:
            raise InvalidEvent(f"a pixel code is text, not {type(one).__name__}")
        code = code.strip()
        if fault := pixel_code_fault(code):
            raise InvalidEvent(f"a pixel code {fault}")
        codes[code] = None
    codes.pop("", None)
    return tuple(codes)


def has_token_form(text: str) -> bool:
    """Say whether a text has the form of an access token."""
    return _TOKEN_FORM.fullmatch(text) is not None


def pixel_code_fault(code: str) -> str:
    """Say why a text can't be a pixel code, "" where it can. The empty text is no fault: it names no pixel."""
    if has_token_form(code):
        return "looks like an access token, and every page would show it"
    if len(code) > MAX_CODE_LENGTH:
        return f"has {len(code)} characters, at most {MAX_CODE_LENGTH} are possible"
    if code and not (code.isascii() and code.isalnum()):
        return "holds other characters than letters and digits"
    return ""
