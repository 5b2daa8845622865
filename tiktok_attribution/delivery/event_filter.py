"""A filter of events, as the admin offers it: validated data, a condition, and the range of keys it can lie in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db.models import Q, QuerySet

from tiktok_attribution.delivery.since import first_pk_since
from tiktok_attribution.models import ERASED, Attempt, OutboxEvent, State, moment

SLACK_SECONDS = 3600.0
"""By how much transactions may commit out of the order of their keys; `created_at` decides within."""

MOMENTS = ("since", "until")
GIVEN_UP = (State.INVALID, State.REJECTED, State.EXPIRED, State.CANCELLED)
WARNED = "warned"
"""Beside the states: delivered, with a note."""
CHANNELS: Mapping[str, Q] = {
    "both": Q(state=State.DELIVERED, browser_at__isnull=False),
    "server": Q(state=State.DELIVERED, wants_browser=True, browser_at__isnull=True),
    "browser": Q(state__in=GIVEN_UP, browser_at__isnull=False),
    "confirmed": Q(browser_confirmed_at__isnull=False),
    "unconfirmed": Q(browser_at__isnull=False, browser_confirmed_at__isnull=True),
}
"""How the two channels of an event fared, as the overview counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Empty fields choose nothing. `since` (from) and `until` (before) are epoch seconds of `created_at`."""

    state: str = ""
    name: str = ""
    pixel_code: str = ""
    channels: str = ""
    attempt: str = ""
    since: float | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        if self.state and self.state not in (*State.values, WARNED):
            raise ValueError("no such state")
        if self.channels and self.channels not in CHANNELS:
            raise ValueError("no such choice of channels")

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> EventFilter:
        """The counterpart of `as_data`. Raises ValueError for anything that it never made.

        Strict, for a background job stores its filter: a condition that was dropped, because another version named it
        otherwise or a value was emptied, would have the job change events that nobody chose.
        """
        if not isinstance(data, Mapping):
            raise ValueError("a filter is a JSON object")
        unknown = set(data) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown conditions: {', '.join(sorted(map(str, unknown)))}")
        for name, value in data.items():
            if not (_is_moment(value) if name in MOMENTS else isinstance(value, str) and value):
                raise ValueError(f"{name} has no usable value")
        return cls(**data)

    def as_data(self) -> dict[str, Any]:
        """What is chosen, as plain JSON."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}

    def __bool__(self) -> bool:
        return bool(self.as_data())

    def rows(self, *, using: str) -> QuerySet[OutboxEvent]:
        """The events of the choice, in no order."""
        found = OutboxEvent.objects.using(using).filter(self.condition(using=using))
        low, high = self.keys(using=using)
        found = found if low is None else found.filter(pk__gte=low)
        return found if high is None else found.filter(pk__lt=high)

    def condition(self, *, using: str) -> Q:
        """Without the keys, which only save reading."""
        wanted = CHANNELS[self.channels] if self.channels else Q()
        if self.state == WARNED:
            wanted &= Q(state=State.DELIVERED) & ~Q(note__in=("", ERASED))
        elif self.state:
            wanted &= Q(state=self.state)
        if self.name:
            wanted &= Q(name=self.name)
        if self.pixel_code:
            wanted &= Q(pixel_code=self.pixel_code)
        if self.since is not None:
            wanted &= Q(created_at__gte=moment(self.since))
        if self.until is not None:
            wanted &= Q(created_at__lt=moment(self.until))
        return wanted & self._of_attempt(using) if self.attempt else wanted

    def keys(self, *, using: str) -> tuple[int | None, int | None]:
        """The events are in this range of keys, from and before; None for no bound."""
        low = high = None
        if self.since is not None:
            low = first_pk_since(moment(self.since - SLACK_SECONDS), using=using)
        if self.until is not None:
            high = first_pk_since(moment(self.until + SLACK_SECONDS), using=using)
        attempt = self._attempt(using)
        if attempt is not None:
            low = max(low or 0, attempt.first_event or 0)
            high = min(high or attempt_end(attempt), attempt_end(attempt))
        return low, high

    def _attempt(self, using: str) -> Attempt | None:
        return Attempt.objects.using(using).filter(pk=self.attempt).first() if self.attempt else None

    def _of_attempt(self, using: str) -> Q:
        attempt = self._attempt(using)
        return Q(pk__in=()) if attempt is None else sent_by(attempt)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def attempt_end(attempt: Attempt) -> int:
    """One above the key of its last event."""
    return (attempt.last_event or 0) + 1


def sent_by(attempt: Attempt) -> Q:
    """The events that were in this attempt, also those that have been tried again since."""
    page = Q(pk__gte=attempt.first_event or 0, pk__lte=attempt.last_event or 0)
    return page & (Q(last_attempt=attempt.pk) | Q(attempt_log__contains=f"{attempt.pk},"))
