"""How the visitor came, and what became of the event, as far as the row tells: both in the order of time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from django.utils.translation import gettext as _

from tiktok_attribution.admin.display.moments import since
from tiktok_attribution.admin.display.tones import Tone
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, State


class Stop(NamedTuple):
    """One stop of the visitor's way: what it is, its text as it was sent, and what to know about it."""

    title: str
    text: str
    note: str = ""


class Moment(NamedTuple):
    """One moment of the event: when, how long after it had happened, what, and how that looks."""

    when: datetime
    later: str
    what: str
    tone: str


def journey(payload: str) -> list[Stop]:
    """From the advertisement to the page; [] once the text is cleared."""
    try:
        sent: Any = json.loads(payload) if payload else {}
        user, page = sent.get("user") or {}, sent.get("page") or {}
        return list(_stops(user, page)) if payload else []
    except (ValueError, AttributeError):
        return []


def _stops(user: dict[str, Any], page: dict[str, Any]) -> Iterator[Stop]:
    url, referrer = str(page.get("url", "")), str(page.get("referrer", ""))
    if user.get("ttclid"):
        yield Stop(_("Landing"), str(user["ttclid"]), _("Click id: the visit began with an advertisement on TikTok."))
    else:
        yield Stop(_("Landing"), "–", _("No click id: not from an advertisement, or more than CLICK_ID_DAYS ago."))
    campaign = [f"{key}={value}" for key, value in _parameters(url) + _parameters(referrer) if key.startswith("utm_")]
    if campaign:
        yield Stop(_("Campaign"), " · ".join(dict.fromkeys(campaign)))
    if referrer:
        yield Stop(_("Page before"), referrer)
    yield Stop(_("Page"), url or "–", "" if url else _("Not known: the event arose outside a visitor's request."))
    if user.get("ttp"):
        yield Stop(_("Pixel's cookie"), str(user["ttp"]), _("_ttp: TikTok's pixel had run in this browser before."))


def _parameters(address: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address).query)
    except ValueError:
        return []


def moments(row: OutboxEvent, attempts: list[Attempt]) -> list[Moment]:
    """What happened to the event, the earliest first."""
    found: list[tuple[datetime, str, Tone]] = [
        (row.happened_at, _("Happened"), Tone.QUIET),
        (row.created_at, _("Recorded"), Tone.QUIET),
    ]
    if row.browser_at:
        found.append((row.browser_at, _("Browser: shown on a page"), Tone.GOOD))
    if row.browser_confirmed_at:
        found.append((row.browser_confirmed_at, _("Browser: the page confirmed its pixel call"), Tone.GOOD))
    found += [
        (attempt.started_at, _("Server: %(answer)s") % {"answer": attempt}, Tone.WAIT)
        for attempt in attempts
        if attempt.outcome != Outcome.DELIVERED or row.state != State.DELIVERED
    ]
    if row.delivered_at:
        found.append((row.delivered_at, _("Server: delivered to TikTok"), Tone.GOOD))
    if row.next_attempt_at:
        found.append((row.next_attempt_at, _("Server: next attempt"), Tone.WAIT))
    in_order = sorted(found, key=lambda one: one[0])
    return [Moment(when, since(row.happened_at, when), what, tone.value) for when, what, tone in in_order]
