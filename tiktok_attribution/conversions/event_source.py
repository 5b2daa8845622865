"""The source of an event: what an event is built from.

Declarations (`conversions.objects`) and `track` (`conversions.tracking`) make an `EventSource`. The recorder builds the
event from it, as a `Built`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tiktok_attribution.consent.types import Consent, Decision
from tiktok_attribution.events import Event
from tiktok_attribution.visitor.snapshot import NOBODY, Signals


class Built(NamedTuple):
    """A built event with notes on what was left out, whether it has contents, and whether they are still empty."""

    event: Event
    notes: list[str]
    has_contents: bool = False
    incomplete: bool = False


class Tables(NamedTuple):
    """The tables that an event is built from: those of its object, and all others. `others` is None if unknown."""

    own: frozenset[str] = frozenset()
    others: frozenset[str] | None = frozenset()


NO_TABLES = Tables()
AGREED = Decision(consent=Consent.GRANTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """The source of an event. It identifies the event even if building it fails.

    `again` returns the source as its object is now, with this time in epoch seconds. It returns None if the object is
    gone. It is None for an event that no object can change.
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
