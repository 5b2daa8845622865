"""What happened, before it is an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tiktok_attribution.consent.answer import Consent, Decision
from tiktok_attribution.events import Event
from tiktok_attribution.visitor.snapshot import NOBODY, Signals


class Built(NamedTuple):
    """An event, notes on what was left out of it, and whether its contents were still empty."""

    event: Event
    notes: list[str]
    incomplete: bool = False


AGREED = Decision(consent=Consent.GRANTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Enough to say which event it is even if building it fails."""

    name: str
    event_id: str
    build: Callable[[], Built]
    using: str
    pixel_codes: Sequence[str]
    halves: str
    object_label: str = ""
    object_pk: str = ""
    signals: Signals = NOBODY
    decision: Decision = AGREED
