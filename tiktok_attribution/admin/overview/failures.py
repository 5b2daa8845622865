"""What went wrong, grouped by TikTok's message or our own note, with its meaning and a way to one example."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.admin.utils import quote
from django.urls import reverse

from tiktok_attribution.admin.display.answers import explain_stored
from tiktok_attribution.admin.display.words import Words, words_of_event
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, State

MOST_ATTEMPTS = 5000
MOST_INVALID = 2000
MOST_GROUPS = 20
MOST_MESSAGES = 100
"""Different messages that are told apart; each costs a look-up."""


@dataclass(slots=True, kw_only=True)
class Failure:
    """One message: how many events it cost, in how many requests (0: never sent), when last, and an example's page."""

    text: str
    words: Words | None
    last: datetime
    address: str
    events: int = 0
    requests: int = 0


def failures(since: datetime, *, pixel_code: str, using: str, site: str) -> list[Failure]:
    """Of the newest `MOST_ATTEMPTS` requests and `MOST_INVALID` invalid events since then; most events first."""
    both = [
        *_of_attempts(since, pixel_code, using, site).values(),
        *_of_invalid(since, pixel_code, using, site).values(),
    ]
    return sorted(both, key=lambda failure: -failure.events)[:MOST_GROUPS]


def _of_attempts(since: datetime, pixel_code: str, using: str, site: str) -> dict[object, Failure]:
    rows = Attempt.objects.using(using).filter(started_at__gte=since).order_by("-started_at")
    if pixel_code:
        rows = rows.filter(pixel_code=pixel_code)
    columns = ("pk", "outcome", "http_status", "code", "message", "event_count")
    found: dict[object, Failure] = {}
    for pk, outcome, *key_parts, event_count in rows.values_list(*columns)[:MOST_ATTEMPTS]:
        if outcome == Outcome.DELIVERED:
            continue
        key = tuple(key_parts)
        if key not in found:
            if len(found) >= MOST_MESSAGES:
                continue
            found[key] = _example(Attempt.objects.using(using).get(pk=pk), site)
        found[key].events += event_count
        found[key].requests += 1
    return found


def _example(attempt: Attempt, site: str) -> Failure:
    return Failure(
        text=_in_words(attempt),
        words=explain_stored(attempt),
        last=attempt.started_at,
        address=reverse("admin:tiktok_attribution_attempt_change", args=[quote(attempt.pk)], current_app=site),
    )


def _in_words(attempt: Attempt) -> str:
    """Code and message; where there is no code, the status says what came back."""
    if attempt.code is not None or attempt.http_status is None:
        return str(attempt)
    return f"HTTP {attempt.http_status}: {attempt.message}" if attempt.message else f"HTTP {attempt.http_status}"


def _of_invalid(since: datetime, pixel_code: str, using: str, site: str) -> dict[object, Failure]:
    rows = OutboxEvent.objects.using(using).filter(state=State.INVALID, created_at__gte=since)
    if pixel_code:
        rows = rows.filter(pixel_code=pixel_code)
    found: dict[object, Failure] = {}
    columns = ("pk", "name", "note", "object_label", "created_at")
    newest = rows.order_by("-created_at").values_list(*columns)[:MOST_INVALID]
    for pk, name, note, label, created_at in newest:
        if (name, note) not in found:
            words = words_of_event(State.INVALID, label)
            address = reverse("admin:tiktok_attribution_outboxevent_change", args=[pk], current_app=site)
            found[name, note] = Failure(text=f"{name}: {note}", words=words, last=created_at, address=address)
        found[name, note].events += 1
    return found
