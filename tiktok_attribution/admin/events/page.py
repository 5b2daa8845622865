"""What the page of one event shows, gathered in one place so that the template only lays it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from tiktok_attribution import conf
from tiktok_attribution.admin.display import badges, cells
from tiktok_attribution.admin.display.answers import explain_stored
from tiktok_attribution.admin.display.moments import seconds, since
from tiktok_attribution.admin.display.tones import TONES, Tone
from tiktok_attribution.admin.display.words import WARNED, Words, words_of_event
from tiktok_attribution.admin.events.curl import curl_command
from tiktok_attribution.admin.events.journey import Moment, Stop, journey, moments
from tiktok_attribution.admin.events.keys import KeyLine, key_lines
from tiktok_attribution.admin.events.objects import ObjectLink
from tiktok_attribution.browser.inline_code import track_call
from tiktok_attribution.conversions.building import object_of
from tiktok_attribution.events.wire import browser_call_of_text, request_body
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import Attempt, OutboxEvent, PixelStatus, State

MOST_SHOWN = 50
"""Attempts in the timeline, the latest ones."""

UNHASHED = {"ttclid", "ttp", "ip", "user_agent", "locale", "city", "state", "country"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the timeline; `attempt` is None where its record has been pruned."""

    attempt: Attempt | None
    badge: SafeString | str = ""
    duration: str = ""
    explained: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """One event, ready to be laid out."""

    badge: SafeString
    tone: str
    words: Words
    delivered: str
    reason: str
    explained: Words | None
    stopped: PixelStatus | None
    switched_off: bool
    money: str
    link: ObjectLink | None
    obj: str
    browser: str
    browser_tone: str
    browser_call: str
    matching_keys: list[tuple[str, str]]
    body: str
    keys: list[KeyLine]
    curl: str
    journey: list[Stop]
    moments: list[Moment]
    steps: list[Step]
    steps_left_out: int


def event_page(row: OutboxEvent, link: ObjectLink | None, *, using: str) -> EventPage:
    """Gather the page of one event. `link` says whether this user may see the object at all."""
    steps = list(_steps(row, using))
    browser, browser_tone = cells.browser_channel(row)
    stopped = PixelStatus.objects.using(using).filter(pk=row.pixel_code, stopped_at__isnull=False)
    body = _pretty(row)
    attempts = [step.attempt for step in steps if step.attempt is not None]
    return EventPage(
        badge=badges.state_badge(row),
        tone=(Tone.WAIT if row.has_warning else TONES.get(row.state, Tone.QUIET)).value,
        words=WARNED if row.has_warning else words_of_event(row.state, row.object_label),
        delivered=since(row.happened_at, row.delivered_at) if row.delivered_at else "",
        reason=row.note,
        explained=_explained(row),
        stopped=stopped.first() if row.state == State.WAITING else None,
        switched_off=row.state == State.WAITING and not conf.current().enabled,
        money=cells.money(row),
        link=link,
        obj=str(object_of(row, using=using) or "") if link and link.address else "",
        browser=browser,
        browser_tone=browser_tone.value,
        browser_call=_browser_call(row),
        matching_keys=list(_matching_keys(row.payload)),
        body=body,
        keys=key_lines(body),
        curl=curl_command(conf.current().api_url, row.pixel_code, row.payload) if row.payload else "",
        journey=journey(row.payload),
        moments=moments(row, attempts[-MOST_SHOWN:]),
        steps=steps[-MOST_SHOWN:],
        steps_left_out=max(0, len(steps) - MOST_SHOWN),
    )


def _explained(row: OutboxEvent) -> Words | None:
    """What the last answer means; what to do about it only while that is still to be done."""
    if row.last_attempt is None or row.state == State.DELIVERED:
        return None
    words = explain_stored(row.last_attempt)
    going_on = row.state in (State.WAITING, State.REJECTED)
    return words if words is None or going_on else Words(words.meaning, "")


def _steps(row: OutboxEvent, using: str) -> Iterator[Step]:
    pks = row.attempt_pks
    found = Attempt.objects.using(using).in_bulk(pks[-MOST_SHOWN:]) if pks else {}
    for pk in pks:
        attempt = found.get(pk)
        if attempt is None:
            yield Step(attempt=None)
        else:
            yield Step(
                attempt=attempt,
                badge=badges.outcome_badge(attempt),
                duration=seconds(attempt.duration_seconds),
                explained=explain_stored(attempt),
            )


def _browser_call(row: OutboxEvent) -> str:
    try:
        return track_call(browser_call_of_text(row.payload)) if row.wants_browser else ""
    except InvalidEvent:
        return ""


def _pretty(row: OutboxEvent) -> str:
    """The request's body as if this event had travelled alone; "" once the text is cleared."""
    if not row.payload:
        return ""
    try:
        return json.dumps(json.loads(request_body(row.pixel_code, [row.payload])), indent=2, ensure_ascii=False)
    except ValueError:
        return row.payload


def _matching_keys(payload: str) -> Iterator[tuple[str, str]]:
    """Names of the keys that TikTok can match by, and of hashes their first digits: enough to compare two events."""
    try:
        user: Any = json.loads(payload).get("user", {}) if payload else {}
    except (ValueError, AttributeError):
        return
    for key, value in user.items() if isinstance(user, dict) else ():
        values = value if isinstance(value, list) else [value]
        yield str(key), "" if key in UNHASHED else ", ".join(f"{str(one)[:8]}…" for one in values)
