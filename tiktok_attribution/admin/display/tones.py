"""How states, outcomes and findings look: each in a tone, which is a class of the style sheet."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.models import Outcome, State


class Tone(Enum):
    """How it looks: a class of the style sheet. The text beside it always says the same."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    QUIET = "quiet"


TONES: Mapping[str, Tone] = {
    State.DELIVERED: Tone.GOOD,
    State.WAITING: Tone.WAIT,
    State.AWAITING_CONSENT: Tone.WAIT,
    State.INVALID: Tone.BAD,
    State.REJECTED: Tone.BAD,
    State.EXPIRED: Tone.BAD,
    State.CANCELLED: Tone.QUIET,
    State.BROWSER_ONLY: Tone.QUIET,
}
OUTCOME_TONES: Mapping[str, Tone] = {
    Outcome.DELIVERED: Tone.GOOD,
    Outcome.RETRY: Tone.WAIT,
    Outcome.SPLIT: Tone.WAIT,
    Outcome.UNKNOWN: Tone.WAIT,
    Outcome.ISOLATE: Tone.BAD,
    Outcome.STOP: Tone.BAD,
}
LEVEL_TONES = {Level.ERROR: Tone.BAD, Level.WARNING: Tone.WAIT, Level.OK: Tone.GOOD}
"""The worst first."""


def with_tone(results: list[CheckResult]) -> list[tuple[CheckResult, str]]:
    """For the template: each with its class of the style sheet; the worst first."""
    order = list(LEVEL_TONES)
    ranked = sorted(results, key=lambda result: order.index(result.level))
    return [(result, LEVEL_TONES[result.level].value) for result in ranked]
