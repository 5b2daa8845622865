"""What happened, before it is an event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tiktok_attribution.consent.decision import Consent, Decision
from tiktok_attribution.events import Event
from tiktok_attribution.visitor.snapshot import NOBODY, Signals


class Built(NamedTuple):
    """An event, notes on what was left out of it, whether it has contents at all, and whether they were still empty."""

    event: Event
    notes: list[str]
    has_contents: bool = False
    incomplete: bool = False


class Tables(NamedTuple):
    """Which tables an event is made of: its object's own, and all others; `others` is None where nobody can tell."""

    own: frozenset[str] = frozenset()
    others: frozenset[str] | None = frozenset()


NO_TABLES = Tables()
AGREED = Decision(consent=Consent.GRANTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """Enough to say which event it is even if building it fails.

    `again` gives the fact as its object stands now, with this time, or None where the object is gone; unset where no
    object can change after it.
    """

    name: str
    event_id: str
    build: Callable[[], Built]
    using: str
    pixel_codes: Sequence[str]
    channels: str
    object_label: str = ""
    object_pk: str = ""
    signals: Signals = NOBODY
    decision: Decision = AGREED
    tables: Tables = NO_TABLES
    again: Callable[[int], EventSource | None] | None = None
