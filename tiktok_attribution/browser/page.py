"""What a page shows: base code for everybody, and what waits for this one visitor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Model, Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.safestring import SafeString

from tiktok_attribution import conf
from tiktok_attribution.browser import pending
from tiktok_attribution.browser.nonce import script
from tiktok_attribution.browser.script import base_code, identify_call, track_call
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.conversions.track import track
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.events import Page, User
from tiktok_attribution.events.payload import browser_call, browser_call_of_text
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.visitor.showing import Showing, identify_keys, user_of_text
from tiktok_attribution.visitor.visitor import ATTRIBUTE, Visitor, visitor_of

logger = logging.getLogger("tiktok_attribution")

SHOWN = "_tiktok_shown"  # on the request: what this page took is not to be kept for the next


def pixel_text(request: HttpRequest | None) -> SafeString:
    """`{% tiktok_pixel %}`: with nothing pending the same text for every visitor."""
    settings = conf.current()
    codes = tuple(pixel_codes(request))
    if not settings.enabled or not codes:
        return script("", request)
    base = base_code(codes, settings.pixel_host, settings.history_observer, settings.limited_data_use)
    if request is None or settings.mode == conf.STANDARD:
        return script(base, request)
    visitor: Visitor | None = request.__dict__.get(ATTRIBUTE)
    if visitor is None and not pending.is_marked(request):
        return script(base, request)
    showings = take(request)
    return script(base + calls(showings, codes), request)


def event_tag(
    request: HttpRequest | None, event: Any, *, server: bool = False, event_id: str = "", **properties: Any
) -> SafeString:
    """`{% tiktok_event %}`: a named event, or the browser halves of an object's conversions."""
    settings = conf.current()
    if not settings.enabled or settings.mode == conf.STANDARD:
        return script("", request)
    if isinstance(event, Model):
        showings = _claim_object(request, event)
    elif server and request is not None:
        showings = _track_now(request, event, event_id, properties)
    else:
        showings = _browser_only(event, event_id, properties)
    return script(calls(showings, tuple(pixel_codes(request))), request)


def _claim_object(request: HttpRequest | None, obj: Model) -> list[Showing]:
    labels = {conversion.model._meta.label for conversion in registry.of(type(obj))}
    showings = [showing for label in sorted(labels) for showing in of_object(label, str(obj.pk))]
    if request is not None:
        _make_private(request)
    _note_shown(showings)
    return showings


def _track_now(request: HttpRequest, name: str, event_id: str, properties: dict[str, Any]) -> list[Showing]:
    """Record both halves, and show this one here instead of on the next page."""
    recorded = track(request, name, event_id=event_id or None, **properties)
    if recorded is None or recorded.showing is None:
        return []
    visitor_of(request).to_show.remove(recorded.showing)
    _make_private(request)
    _note_shown([recorded.showing])
    return [recorded.showing]


def _browser_only(name: str, event_id: str, properties: dict[str, Any]) -> list[Showing]:
    """An event without a server half is the same for every visitor, so the page stays cacheable."""
    try:
        event, notes = build_event(
            name, event_id=event_id, event_time=None, user=User(), page=Page(), properties=properties
        )
    except InvalidEvent as error:
        if conf.current().strict:
            raise
        logger.warning("tiktok: {%% tiktok_event %r %%} is left out: %s", name, error)
        return []
    for note in notes:
        logger.info("tiktok: {%% tiktok_event %r %%}: %s", name, note)
    return [Showing(call=browser_call(event), pixel_codes=(), identify={})]


def _make_private(request: HttpRequest) -> None:
    visitor_of(request)
    request.__dict__.setdefault(SHOWN, pending.load(request))


def calls(showings: Iterable[Showing], codes: tuple[str, ...]) -> str:
    """`identify` before the first `track` that it is for; on single pixels only where not all are meant."""
    text = []
    identified: dict[str, str] = {}
    for showing in showings:
        if showing.identify != identified and showing.identify and conf.current().identify:
            text.append(identify_call(showing.identify))
            identified = showing.identify
        everywhere = not showing.pixel_codes or set(showing.pixel_codes) == set(codes)
        text.append(track_call(showing.call, () if everywhere else showing.pixel_codes))
    return "".join(text)


def take(request: HttpRequest) -> list[Showing]:
    """Everything that waits for this visitor, from this request, from earlier ones and from watched objects."""
    visitor = visitor_of(request)
    waiting = pending.load(request)
    showings = waiting.take() + visitor.to_show
    visitor.to_show.clear()
    still = []
    for since, key in waiting.watched:
        found = list(of_object(*key.rsplit(":", 1)))
        showings += found
        if not found:
            still.append([since, key])
    waiting.watched = still
    request.__dict__[SHOWN] = waiting
    _note_shown(showings)
    return showings


def of_object(label: str, pk: str) -> Iterator[Showing]:
    """Browser halves of an object's conversions that no page has shown."""
    for using in outbox_databases():
        rows = OutboxEvent.objects.using(using).filter(object_label=label, object_pk=pk, wants_browser=True)
        unseen = rows.filter(browser_at__isnull=True).exclude(payload="").order_by("name", "event_id")
        for _, same in groupby(unseen, key=lambda row: (row.name, row.event_id)):
            group = list(same)
            try:
                call = browser_call_of_text(group[0].payload)
            except InvalidEvent:
                continue
            codes = tuple(row.pixel_code for row in group)
            keys = identify_keys(user_of_text(group[0].payload))
            yield Showing(call=call, pixel_codes=codes, identify=keys)


def _note_shown(showings: Sequence[Showing]) -> None:
    """Note on the rows that their browser half was handed to a page."""
    same = Q()
    for showing in showings:
        if showing.call.event_id:
            same |= Q(
                pixel_code__in=showing.pixel_codes, name=showing.call.name, event_id=showing.call.event_id
            )
    if not same:
        return
    for using in outbox_databases():
        try:
            with transaction.atomic(using=using):
                rows = OutboxEvent.objects.using(using).filter(same, browser_at__isnull=True)
                rows.update(browser_at=timezone.now())
        except DatabaseError:
            logger.exception("tiktok: could not note that a browser half was shown")


def finish(request: HttpRequest, response: HttpResponseBase) -> None:
    """After the view: keep what this response did not show; make a page private that shows one visitor's own."""
    visitor = visitor_of(request)
    waiting = request.__dict__.get(SHOWN)
    if waiting is not None:
        patch_cache_control(response, private=True)
    fresh = bool(visitor.to_show or visitor.to_watch)
    if waiting is None and not fresh:
        return
    waiting = pending.load(request) if waiting is None else waiting
    waiting.add(visitor.to_show, visitor.to_watch)
    pending.save(request, response, waiting)
