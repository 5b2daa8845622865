"""The visitor's answer, and what follows from it for one event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Consent(str, Enum):
    """Whether this visitor's events may be told to TikTok; UNKNOWN until somebody has answered."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


MOST_CHARACTERS = 8000
"""Of a cookie that is read: browsers keep 4096."""


class Reason(str, Enum):
    """Why an event is told to nobody; the words stand in the counts."""

    DENIED = "denied"
    OPT_OUT = "opt-out"
    NO_ANSWER = "no answer"
    NO_VISITOR = "no visitor"
    WITHDRAWN = "withdrawn"
    VETO = "veto"
    PRIVATE_PATH = "private path"
    PREFETCH = "prefetch"
    PREVIEW = "preview"
    BOT = "bot"
    ERASED = "erased"
    TOO_OLD = "too old"
    UNKNOWN = "unknown consent"


# Two kinds of "no". The person's own will holds for whatever becomes of an object later, so it is stored with it.
# The circumstances of a request (a bot's agent, a prefetch, an editor's preview, a private path) say nothing about the
# person. They count
# for what this request itself makes or tracks, and are never stored: an order may be made by a prefetch and paid later,
# and the webhook that reports the payment may come from any agent and to any path.
REFUSALS = (Reason.DENIED, Reason.OPT_OUT)
"""Reasons that are the person's own will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`reason` where it is denied; `limited_data_use` is TikTok's flag for both channels."""

    consent: Consent
    reason: Reason | None = None
    limited_data_use: bool = False

    @property
    def is_granted(self) -> bool:
        return self.consent is Consent.GRANTED

    @property
    def is_denied(self) -> bool:
        return self.consent is Consent.DENIED

    @property
    def is_refusal(self) -> bool:
        """True where the visitor said no; what waits for an answer is dropped then."""
        return self.is_denied and self.reason in REFUSALS


def denied(reason: Reason) -> Decision:
    """Told to nobody, and why."""
    return Decision(consent=Consent.DENIED, reason=reason)


def as_consent(value: object) -> Consent:
    """What a site's callable, session or field says: True, False, an answer or its word; all else is no answer."""
    if value is True:
        return Consent.GRANTED
    if value is False:
        return Consent.DENIED
    if value is None:
        return Consent.UNKNOWN
    try:
        return Consent(value)
    except ValueError:
        return Consent.UNKNOWN
