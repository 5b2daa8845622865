"""Pixel calls of events in the outbox, and signed receipts that confirm them.

Pixel calls are read from the outbox, so an event of a rolled-back transaction is never shown. A receipt names the
events that a page was given; it is signed, so only that page can confirm them.

Decision: a receipt means that TikTok's script was loaded. The page waits for the `load` event of events.js, which an ad
blocker prevents. A queued call alone proves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from time import time

from django.core import signing
from django.db import DatabaseError, connections, transaction
from django.db.models import Q
from django.utils import timezone

from tiktok_attribution.browser.pending_cookie import Key
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.events.wire import browser_call_of_text
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import OutboxEvent, State, events_of, events_with, moment
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.visitor.visitor import PixelCall, identify_keys, user_of_text

logger = logging.getLogger("tiktok_attribution")

# Decision: an event is shown again if the browser threw away the page that showed it: a reload, a second tab, a page
# that came too late. That happens within moments. A copied cookie works until its signature expires, so no cookie shows
# an event again that was shown longer ago, or that its page confirmed. The five minutes are our choice: enough for a
# slow page on a phone, and much less than the hour of the cookie.
SHOWN_AGAIN_SECONDS = 300


def keys_of(pixel_call: PixelCall) -> list[Key]:
    """Return the outbox rows of a pixel call, one for each of its pixels."""
    return [Key(code, pixel_call.call.name, pixel_call.call.event_id) for code in pixel_call.pixel_codes]


def of_keys(keys: Sequence[Key]) -> list[PixelCall]:
    """Return the pixel calls of these events in order, without those that were rolled back or shown before."""
    if not keys:
        return []
    since = moment(time() - SHOWN_AGAIN_SECONDS)
    unseen = Q(browser_at__isnull=True) | Q(browser_at__gte=since, browser_confirmed_at__isnull=True)
    return sorted(_stored(events_with(keys) & unseen), key=lambda pixel_call: min(map(keys.index, keys_of(pixel_call))))


def of_objects(labels: Sequence[str]) -> list[PixelCall]:
    """Return the pixel calls of these objects' conversions ("shop.Order:42") that no page has shown."""
    if not labels:
        return []
    named = (label.partition(":") for label in labels)
    return _stored(events_of((model, object_key(pk)) for model, _, pk in named) & Q(browser_at__isnull=True))


def note_shown(keys: Iterable[Key]) -> None:
    """Note that a page was given the pixel calls of these rows."""
    _note_first(keys, "browser_at")


def note_confirmed(keys: Iterable[Key]) -> None:
    """Note that the page made the pixel calls of these rows, with events.js loaded to send them."""
    _note_first(keys, "browser_confirmed_at")


def _note_first(keys: Iterable[Key], column: str) -> None:
    """Set this column to the current time on rows where it is empty."""
    still_empty = events_with(keys) & Q((f"{column}__isnull", True))
    for using in outbox_databases():
        try:
            with _savepoint(using):
                OutboxEvent.objects.using(using).filter(still_empty).update(**{column: timezone.now()})
        except DatabaseError:
            logger.exception("tiktok: could not note %s of a pixel call", column)


def _stored(condition: Q) -> list[PixelCall]:
    found: dict[Key, PixelCall] = {}
    for using in outbox_databases():
        for pixel_call in _of_database(condition, using):
            found.setdefault(keys_of(pixel_call)[0], pixel_call)  # only once, if another alias is a replica
    return list(found.values())


def _of_database(condition: Q, using: str) -> Iterator[PixelCall]:
    wanted = OutboxEvent.objects.using(using).filter(condition, wants_browser=True).exclude(payload="")
    wanted = wanted.exclude(state=State.AWAITING_CONSENT)
    with _savepoint(using):
        rows = list(wanted.order_by("event_time", "name", "event_id", "pk"))
    for _, same in groupby(rows, key=lambda row: (row.name, row.event_id)):
        group = list(same)
        # Decision: one event, two channels. The stored text is the server's body. The pixel call is made from the same
        # name and properties, since the name is part of TikTok's de-duplication key.
        try:
            call = browser_call_of_text(group[0].payload)
        except InvalidEvent:
            continue
        stored = user_of_text(group[0].payload)
        codes = tuple(row.pixel_code for row in group)
        yield PixelCall(call=call, pixel_codes=codes, identify=identify_keys(stored), stored=stored)


@contextmanager
def _savepoint(using: str) -> Iterator[None]:
    """Keep a failing query from breaking the site's own transaction. Begins no transaction outside of one."""
    if connections[using].in_atomic_block:
        with transaction.atomic(using=using):
            yield
    else:
        yield


SALT = "tiktok_receipt"
LIFETIME_SECONDS = 86_400  # of a receipt; long enough for a tab that was opened in the background


def of(pixel_calls: Iterable[PixelCall]) -> str:
    """Return a signed receipt for these pixel calls, "" for none. A call without an event_id has no row."""
    keys = [list(key) for pixel_call in pixel_calls if pixel_call.call.event_id for key in keys_of(pixel_call)]
    return signing.dumps(keys, salt=SALT, compress=True) if keys else ""


def read(text: object) -> list[Key]:
    """Read a receipt that `of` made. Returns an empty list if it has expired or is forged."""
    try:
        return [Key(*key) for key in signing.loads(str(text), salt=SALT, max_age=LIFETIME_SECONDS)]
    except (signing.BadSignature, ValueError, TypeError):
        return []
