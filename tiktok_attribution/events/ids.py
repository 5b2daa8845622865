"""Make and check event ids and pixel codes.

TikTok counts pixel, event name and event_id together once. So an event id is made from the object of the conversion
(`object_event_id`), or at random for an event without an object.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping

from tiktok_attribution.events.sanitize import holds_email, plain
from tiktok_attribution.exceptions import InvalidEvent

MAX_LENGTH = 128
"""Our limit, so that a unique index can hold it on every database. TikTok documents none."""

MAX_CODE_LENGTH = 64
"""Length of a pixel code, as wide as its columns. TikTok's own codes have 20 characters."""

_TOKEN_FORM = re.compile(r"[0-9a-fA-F]{40}")  # the form of the access tokens of TikTok that were seen


def object_event_id(label: str, pk: object) -> str:
    """Build the event id of an object, such as "order-42". It is the same for every worker, save or backfill.

    A primary key that is long or holds an e-mail address is replaced by a digest, because TikTok gets this text plain.
    """
    # Decision: event ids come from objects, under a unique constraint on event_id and event type. An insert that meets
    # the constraint does nothing (`ON CONFLICT DO NOTHING`), so a conversion can't count twice.
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
    """Make the event id of an event without an object. It is made once, for both channels."""
    return uuid.uuid4().hex


def valid_event_id(v: object) -> str:
    """Return the event id as text, from text, a whole number or a UUID. Raises InvalidEvent without repeating the
    id."""
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
# a stored snapshot. Every page shows a pixel code, so a text in the form of an access token is refused. A code is never
# cut, because the rest of a wrong code could be another site's pixel. No message repeats a code: it may be a token.
def valid_pixel_codes(given: object) -> tuple[str, ...]:
    """Return one pixel code or several as a tuple, each once, without empty ones. Raises InvalidEvent."""
    if given is None:
        return ()
    is_one = hasattr(given, "isalnum") or not isinstance(given, Iterable)  # true for lazy text too, which iterates
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
    """Return whether a text has the form of an access token."""
    return _TOKEN_FORM.fullmatch(text) is not None


def pixel_code_fault(code: str) -> str:
    """Return why a text can't be a pixel code, "" if it can. The empty text is valid: it names no pixel."""
    if has_token_form(code):
        return "looks like an access token, and every page would show it"
    if len(code) > MAX_CODE_LENGTH:
        return f"has {len(code)} characters, at most {MAX_CODE_LENGTH} are possible"
    if code and not (code.isascii() and code.isalnum()):
        return "holds other characters than letters and digits"
    return ""
