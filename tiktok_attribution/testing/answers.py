"""The envelope of an Events API answer, and every wording that TikTok was seen to use.

A message that begins with OURS is the stand-in's own: no answer of TikTok's is recorded for that case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NoReturn

OURS = "stand-in: "

EVENT_ID_NOT_TEXT = "Invalid value for event_id: not a valid string."
EVENT_SOURCE_ID_NOT_TEXT = "Invalid value for event_source_id: not a valid string."
EVENT_SOURCE_UNKNOWN = "Invalid value for event_source: must be web, app or offline."
CONTENT_ID_NOT_TEXT = "Batch.{row}.properties.contents.{item}.content_id: Not a valid string"
PRICE_NOT_NUMBER = "Invalid Price Field"
NO_PERMISSION = (
    "No permission to operate pixel code: {pixel}. You must be an admin or operator of this advertiser account."
)
TOKEN_REFUSED = "Access token is incorrect or has been revoked."
TOO_MANY_REQUESTS = "Too many requests. Please retry in some time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer. `code` None or `body` given: the answer isn't TikTok's envelope."""

    code: int | None = 0
    message: str = "OK"
    http_status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self, request_id: str) -> bytes:
        if self.body is not None:
            return self.body
        envelope: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
            "data": {},
        }
        return json.dumps(envelope).encode("ascii")


OK = Answer()


class RefusedError(Exception):
    """A request that is refused as a whole; `answer` says with what."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def refuse(code: int, wording: str, *, http_status: int = 200) -> NoReturn:
    """Raise RefusedError with a wording that TikTok was seen to use."""
    raise RefusedError(Answer(code=code, message=wording, http_status=http_status))


def refuse_in_our_words(code: int, text: str, *, http_status: int = 200) -> NoReturn:
    """Raise RefusedError with our own words: TikTok's are not recorded for this case."""
    refuse(code, OURS + text, http_status=http_status)
