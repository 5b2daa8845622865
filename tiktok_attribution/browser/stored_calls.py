"""Pixel calls of events in the outbox, and signed receipts that confirm them.

Pixel calls are read from the outbox, so an event of a rolled-back transaction is never shown. A receipt names the
events that a page was given; it is signed, so only that page can confirm them.

Decision: a receipt means that TikTok's script was loaded. The page waits for the `load` event of events.js, which an ad
blocker prevents. A queued call alone proves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from time import time
from typing import Any, NamedTuple

from django.core import signing
from django.db import DatabaseError, connections
from django.utils import timezone

from tiktok_attribution.browser.pending_cookie import Key
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.events.wire import browser_call_of_text
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import EventBody, OutboxEvent, State, digest, moment, type_key_of
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected
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
    found = _stored(partial(_rows_of_keys, keys))
    return sorted(found, key=lambda pixel_call: min(map(keys.index, keys_of(pixel_call))))


def of_objects(labels: Sequence[str]) -> list[PixelCall]:
    """Return the pixel calls of these objects' conversions ("shop.Order:42") that no page has shown."""
    if not labels:
        return []
    named = [(model, object_key(pk)) for model, _, pk in (label.partition(":") for label in labels)]
    return _stored(partial(_rows_of_objects, named))


def note_shown(keys: Iterable[Key]) -> None:
    """Note that a page was given the pixel calls of these rows."""
    _note_first(keys, "browser_at")


def note_confirmed(keys: Iterable[Key]) -> None:
    """Note that the page made the pixel calls of these rows, with events.js loaded to send them."""
    _note_first(keys, "browser_confirmed_at")


def _note_first(keys: Iterable[Key], column: str) -> None:
    """Set this column to the current time on rows where it is empty."""
    condition, values = _condition(list(keys))
    if not values:
        return
    for using in outbox_databases():
        connection = connections[using]
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        event, body = _tables(using)
        key, moment_ = connection.ops.quote_name("id"), connection.ops.quote_name(column)
        named = f"SELECT {key} FROM {body} WHERE {condition}"  # noqa: S608 -- names of our tables
        text = f"UPDATE {event} SET {moment_} = %s WHERE {moment_} IS NULL AND {key} IN ({named})"  # noqa: S608 -- same
        try:
            with protected(using), connection.cursor() as cursor:
                cursor.execute(text, [now, *values])
        except DatabaseError:
            logger.exception("tiktok: could not note %s of a pixel call", column)


class Row(NamedTuple):
    """The columns that make a pixel call."""

    name: str
    event_id: str
    pixel_code: str
    payload: str


def _stored(read: Callable[[str], list[Row]]) -> list[PixelCall]:
    found: dict[Key, PixelCall] = {}
    for using in outbox_databases():
        with protected(using):  # a query that fails must not break the site's own transaction
            rows = read(using)
        for pixel_call in _calls(rows):
            found.setdefault(keys_of(pixel_call)[0], pixel_call)  # only once, if another alias is a replica
    return list(found.values())


def _calls(rows: list[Row]) -> Iterator[PixelCall]:
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


def _tables(using: str) -> tuple[str, str]:
    quote = connections[using].ops.quote_name
    return quote(OutboxEvent._meta.db_table), quote(EventBody._meta.db_table)


# Decision: fixed SQL text for what every page with a waiting event asks. The ORM builds the same statements by 3,500
# calls of Python functions. A test compares what both find, on each engine.
def _rows(condition: str, values: list[Any], using: str) -> list[Row]:
    """Return the events that have a pixel call and fit the condition (over b, their body, and e), oldest first."""
    event, body = _tables(using)
    text = f"""SELECT e.name, b.event_id, e.pixel_code, b.payload FROM {body} b INNER JOIN {event} e ON e.id = b.id
        WHERE {condition} AND b.payload <> %s AND e.wants_browser = %s AND e.state <> %s
        ORDER BY e.event_time, e.name, b.event_id, e.id"""  # noqa: S608 -- names of our tables
    with connections[using].cursor() as cursor:
        cursor.execute(text, [*values, "", True, State.AWAITING_CONSENT])
        return [Row(*one) for one in cursor.fetchall()]


def _rows_of_keys(keys: Sequence[Key], using: str) -> list[Row]:
    """Return those of these events that no page has shown, or that one showed lately without confirming it."""
    since = connections[using].ops.adapt_datetimefield_value(moment(time() - SHOWN_AGAIN_SECONDS))
    named, values = _condition(keys)
    unseen = "(e.browser_at IS NULL OR (e.browser_at >= %s AND e.browser_confirmed_at IS NULL))"
    return _rows(f"({named}) AND {unseen}", [*values, since], using)


def _rows_of_objects(objects: Sequence[tuple[str, str]], using: str) -> list[Row]:
    """Return the events of these objects (label, key) that no page has shown."""
    digests = [digest(key) for _, key in objects]
    found = f"b.object_digest IN ({_places(digests)})"  # the index holds the keys alone, for every label
    named = " OR ".join(["(e.object_label = %s AND e.object_pk = %s)"] * len(objects))
    values = [*digests, *(text for one in objects for text in one)]
    return _rows(f"{found} AND ({named}) AND e.browser_at IS NULL", values, using)


def _places(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def _condition(keys: Sequence[Key]) -> tuple[str, list[Any]]:
    """Return the condition of `events_with` over the table of bodies, and its values; no values for no keys."""
    ids: dict[int | None, list[str]] = {}
    for key in keys:
        ids.setdefault(type_key_of(key.pixel_code, key.name), []).append(key.event_id)
    parts = [f"(type_key = %s AND event_id IN ({_places(theirs)}))" for theirs in ids.values()]
    return " OR ".join(parts), [value for type_key, theirs in ids.items() for value in (type_key, *theirs)]


SALT = "tiktok_receipt"
LIFETIME_SECONDS = 86_400  # of a receipt; long enough for a tab that was opened in the background


def receipt_of(pixel_calls: Iterable[PixelCall]) -> str:
    """Return a signed receipt for these pixel calls, "" for none. A call without an event_id has no row."""
    keys = [list(key) for pixel_call in pixel_calls if pixel_call.call.event_id for key in keys_of(pixel_call)]
    return signing.dumps(keys, salt=SALT, compress=True) if keys else ""


def read_receipt(text: object) -> list[Key]:
    """Read a receipt that `receipt_of` made. Returns an empty list if it has expired or is forged."""
    try:
        return [Key(*key) for key in signing.loads(str(text), salt=SALT, max_age=LIFETIME_SECONDS)]
    except (signing.BadSignature, ValueError, TypeError):
        return []
