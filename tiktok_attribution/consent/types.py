"""The visitor's answer, and the decision that follows from it for one event.

`Consent` is an answer, `Decision` what it allows, `Reason` why an event is suppressed. `as_consent` reads an answer
from what a site's own code returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Consent(str, Enum):
    """Whether this visitor's events may be sent to TikTok. UNKNOWN until there is an answer."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


MOST_CHARACTERS = 8000
"""Characters of a cookie that are read; browsers keep 4096."""


class Reason(str, Enum):
    """Why an event is suppressed. The values are stored in the counts."""

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


# Decision: there are two sorts of "no". The person's own will holds for all that becomes of an object later, so it is
# stored with the object. The circumstances of a request (a bot's user agent, a prefetch, an editor's preview, a private
# path) say nothing about the person. They count for what this request itself makes or tracks, and are never stored. An
# order may be made by a prefetch and paid later. The webhook that reports the payment may have any user agent and path.
REFUSALS = (Reason.DENIED, Reason.OPT_OUT)
"""Reasons that are the person's own will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is allowed for an event. `reason` is set if it is denied. `limited_data_use` is TikTok's flag, sent by both
    channels."""

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
        """True if the visitor said no. What awaits their answer is suppressed then."""
        return self.is_denied and self.reason in REFUSALS


def denied(reason: Reason) -> Decision:
    """Return the decision that an event is suppressed for this reason."""
    return Decision(consent=Consent.DENIED, reason=reason)


def as_consent(value: object) -> Consent:
    """Read the answer of a site's callable, session or field: True, False, a Consent or its value. Else UNKNOWN."""
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
