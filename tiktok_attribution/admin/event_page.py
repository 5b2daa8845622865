"""The data of one event's page, collected here so that the template only arranges it.

`event_page` collects the explained state, the link to the site's object, the attempts, and the request as a `curl`
command. `journey` reads the visitor's way from the stored body. `moments` lists what happened in order of time.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import SEARCH_VAR
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.admin import formatting
from tiktok_attribution.admin.explanations import WARNED, Words, explain_stored, words_of_event
from tiktok_attribution.admin.formatting import TONES, Tone, seconds, since
from tiktok_attribution.admin.matching_keys import KeyLine, key_lines
from tiktok_attribution.browser.inline_code import track_call
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.building import object_of
from tiktok_attribution.events.wire import browser_call_of_text, request_body
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, RecordedConversion, State


class ObjectLink(NamedTuple):
    """The name of an object without reading it, and the address of its admin page ("" if this user may not see it)."""

    text: str
    address: str


class ObjectLinks:
    """Links to the site's objects in one request. Asks each model's admin only once whether the user may view it."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request
        self._routes: dict[str, tuple[str, str]] = {}

    def of(self, row: OutboxEvent | RecordedConversion) -> ObjectLink | None:
        """Return the link to the object of an event or a conversion; None if it has no object."""
        if not row.object_label:
            return None
        if row.object_label not in self._routes:
            self._routes[row.object_label] = self._route(row.object_label)
        name, route = self._routes[row.object_label]
        address = ""
        if route:
            with suppress(NoReverseMatch):
                address = reverse(route, args=[quote(row.object_pk)], current_app=self._site.name)
        return ObjectLink(f"{name} {row.object_pk}", address)

    def searches(self, term: str) -> list[tuple[str, str]]:
        """Return searches of a term in the site's own admin: the objects' name, and the address."""
        models = {conversion.model for conversion in registry.every()} if term else set()
        found = []
        for model in sorted(models, key=lambda model: model._meta.label):
            model_admin = self._site._registry.get(model)  # noqa: SLF001 -- as below
            if model_admin and model_admin.search_fields and model_admin.has_view_or_change_permission(self._request):
                route = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
                address = f"{reverse(route, current_app=self._site.name)}?{urlencode({SEARCH_VAR: term})}"
                found.append((str(model._meta.verbose_name_plural), address))
        return found

    def _route(self, label: str) -> tuple[str, str]:
        """Return the model's name for people, and the route of its change page if this user may see it."""
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            return label, ""
        options = model._meta
        model_admin = self._site._registry.get(model)  # noqa: SLF001 -- get_model_admin raises instead of saying no
        allowed = model_admin is not None and model_admin.has_view_or_change_permission(self._request)
        route = f"admin:{options.app_label}_{options.model_name}_change" if allowed else ""
        return str(options.verbose_name), route


class Stop(NamedTuple):
    """One stop of the visitor's journey: its title, its text as sent, and a note that explains it."""

    title: str
    text: str
    note: str = ""


class Moment(NamedTuple):
    """One moment of the event: the time, how long after the event it was, the text, and its tone."""

    when: datetime
    later: str
    what: str
    tone: str


def journey(payload: str) -> list[Stop]:
    """Return the stops from the advertisement to the page; [] if the body was cleared."""
    try:
        sent: Any = json.loads(payload) if payload else {}
        user, page = sent.get("user") or {}, sent.get("page") or {}
        return list(_stops(user, page)) if payload else []
    except (ValueError, AttributeError):
        return []


def _stops(user: dict[str, Any], page: dict[str, Any]) -> Iterator[Stop]:
    url, referrer = str(page.get("url", "")), str(page.get("referrer", ""))
    if user.get("ttclid"):
        yield Stop(_("Landing"), str(user["ttclid"]), _("Click id: the visit began with an ad on TikTok."))
    else:
        yield Stop(_("Landing"), "–", _("No click id: not from an ad, or more than CLICK_ID_DAYS ago."))
    campaign = [f"{key}={value}" for key, value in _parameters(url) + _parameters(referrer) if key.startswith("utm_")]
    if campaign:
        yield Stop(_("Campaign"), " · ".join(dict.fromkeys(campaign)))
    if referrer:
        yield Stop(_("Page before"), referrer)
    yield Stop(_("Page"), url or "–", "" if url else _("Not known: the event came from outside a visitor's request."))
    if user.get("ttp"):
        yield Stop(_("Pixel's cookie"), str(user["ttp"]), _("_ttp: TikTok's pixel has run in this browser before."))


def _parameters(address: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address).query)
    except ValueError:
        return []


def moments(row: OutboxEvent, attempts: list[Attempt]) -> list[Moment]:
    """Return what happened to the event, in order of time."""
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


TOKEN = "$TIKTOK_ACCESS_TOKEN"


def curl_command(api_url: str, pixel_code: str, text: str) -> str:
    """Return the request as a command for a POSIX shell, without the token, which the shell fills in.

    Values from settings or from a shopper are in single quotes, where a shell expands nothing. `--data-raw` does not
    read a file for "@". The shell expands only the variable with the token.
    """
    return " \\\n  ".join(
        [
            f"curl --request POST {shlex.quote(api_url)}",
            f'--header "Access-Token: {TOKEN}"',
            "--header 'Content-Type: application/json'",
            f"--data-raw {shlex.quote(request_body(pixel_code, [text]).decode())}",
        ]
    )


MOST_SHOWN = 50
"""The most attempts in the timeline; the latest ones are shown."""

UNHASHED = {"ttclid", "ttp", "ip", "user_agent", "locale", "city", "state", "country"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the timeline. `attempt` is None if its row has been deleted."""

    attempt: Attempt | None
    badge: SafeString | str = ""
    duration: str = ""
    explained: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """One event, ready for the template."""

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
    """Collect the page of one event. `link` says whether this user may see the object."""
    steps = list(_steps(row, using))
    browser, browser_tone = formatting.browser_channel(row)
    stopped = PixelStatus.objects.using(using).filter(pk=row.pixel_code, stopped_at__isnull=False)
    body = _pretty(row)
    attempts = [step.attempt for step in steps if step.attempt is not None]
    return EventPage(
        badge=formatting.state_badge(row),
        tone=(Tone.WAIT if row.has_warning else TONES.get(row.state, Tone.QUIET)).value,
        words=WARNED if row.has_warning else words_of_event(row.state, row.object_label),
        delivered=since(row.happened_at, row.delivered_at) if row.delivered_at else "",
        reason=row.note,
        explained=_explained(row),
        stopped=stopped.first() if row.state == State.WAITING else None,
        switched_off=row.state == State.WAITING and not conf.current().enabled,
        money=formatting.money(row),
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
    """Explain the last answer. The advice is left out if nothing is to be done any more."""
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
                badge=formatting.outcome_badge(attempt),
                duration=seconds(attempt.duration_seconds),
                explained=explain_stored(attempt),
            )


def _browser_call(row: OutboxEvent) -> str:
    try:
        return track_call(browser_call_of_text(row.payload)) if row.wants_browser else ""
    except InvalidEvent:
        return ""


def _pretty(row: OutboxEvent) -> str:
    """Return the request's body as if only this event was sent; "" if the body was cleared."""
    if not row.payload:
        return ""
    try:
        return json.dumps(json.loads(request_body(row.pixel_code, [row.payload])), indent=2, ensure_ascii=False)
    except ValueError:
        return row.payload


def _matching_keys(payload: str) -> Iterator[tuple[str, str]]:
    """Yield the keys that TikTok can match by. Of hashes it shows the first 8 digits, enough to compare two events."""
    try:
        user: Any = json.loads(payload).get("user", {}) if payload else {}
    except (ValueError, AttributeError):
        return
    for key, value in user.items() if isinstance(user, dict) else ():
        values = value if isinstance(value, list) else [value]
        yield str(key), "" if key in UNHASHED else ", ".join(f"{str(one)[:8]}…" for one in values)
