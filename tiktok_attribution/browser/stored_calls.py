"""Browser channels as the outbox has them: what a transaction took back is not there, so no page can show it.

Receipts: what a page was given to fire, signed, so that only the one who got it can say that it was fired.
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
from tiktok_attribution.models import OutboxEvent, events_of, events_with, moment
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.visitor.visitor import PixelCall, identify_keys, user_of_text

logger = logging.getLogger("tiktok_attribution")

# An event is shown again when the page that showed it was thrown away by the browser: a reload, a second tab, a page
# that came too late. That happens within moments. A copy of the cookie can be played back as long as its signature
# holds, so what was shown longer ago, or confirmed by its page, is shown by no cookie any more. Five minutes is ours:
# a slow page on a phone, and much less than the hour of the cookie.
SHOWN_AGAIN_SECONDS = 300


def keys_of(pixel_call: PixelCall) -> list[Key]:
    """The rows of a pixel call: one for each of its pixels."""
    return [Key(code, pixel_call.call.name, pixel_call.call.event_id) for code in pixel_call.pixel_codes]


def of_keys(keys: Sequence[Key]) -> list[PixelCall]:
    """The channels of these events, in their order, without those that were rolled back or shown before."""
    if not keys:
        return []
    since = moment(time() - SHOWN_AGAIN_SECONDS)
    unseen = Q(browser_at__isnull=True) | Q(browser_at__gte=since, browser_confirmed_at__isnull=True)
    return sorted(_stored(events_with(keys) & unseen), key=lambda pixel_call: min(map(keys.index, keys_of(pixel_call))))


def of_objects(labels: Sequence[str]) -> list[PixelCall]:
    """The channels of these objects' conversions ("shop.Order:42") that no page has shown."""
    if not labels:
        return []
    named = (label.partition(":") for label in labels)
    return _stored(events_of((model, object_key(pk)) for model, _, pk in named) & Q(browser_at__isnull=True))


def note_shown(keys: Iterable[Key]) -> None:
    """Note on these rows that a page handed their pixel call over."""
    _note_first(keys, "browser_at")


def note_confirmed(keys: Iterable[Key]) -> None:
    """Note on these rows that the page told of their pixel call, with events.js there to send it."""
    _note_first(keys, "browser_confirmed_at")


def _note_first(keys: Iterable[Key], column: str) -> None:
    """Now, in this column, where there is no moment yet."""
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
            found.setdefault(keys_of(pixel_call)[0], pixel_call)  # once, where another alias is a replica
    return list(found.values())


def _of_database(condition: Q, using: str) -> Iterator[PixelCall]:
    wanted = OutboxEvent.objects.using(using).with_pixel_call().filter(condition)
    with _savepoint(using):
        rows = list(wanted.order_by("event_time", "name", "event_id", "pk"))
    for _, same in groupby(rows, key=lambda row: (row.name, row.event_id)):
        group = list(same)
        try:
            call = browser_call_of_text(group[0].payload)
        except InvalidEvent:
            continue
        stored = user_of_text(group[0].payload)
        codes = tuple(row.pixel_code for row in group)
        yield PixelCall(call=call, pixel_codes=codes, identify=identify_keys(stored), stored=stored)


@contextmanager
def _savepoint(using: str) -> Iterator[None]:
    """A query that fails must not poison the site's own transaction; where there is none, none is begun."""
    if connections[using].in_atomic_block:
        with transaction.atomic(using=using):
            yield
    else:
        yield


SALT = "tiktok_receipt"
LIFETIME_SECONDS = 86_400  # of a tab that was opened and not looked at


def of(pixel_calls: Iterable[PixelCall]) -> str:
    """The rows of these, "" for none. An event of the template alone has no row."""
    keys = [list(key) for pixel_call in pixel_calls if pixel_call.call.event_id for key in keys_of(pixel_call)]
    return signing.dumps(keys, salt=SALT, compress=True) if keys else ""


def read(text: object) -> list[Key]:
    """The counterpart of `of`; empty for what is old or somebody's own making."""
    try:
        return [Key(*key) for key in signing.loads(str(text), salt=SALT, max_age=LIFETIME_SECONDS)]
    except (signing.BadSignature, ValueError, TypeError):
        return []
