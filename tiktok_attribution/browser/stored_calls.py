"""Pixel calls of events in the outbox, and signed receipts that confirm them.

Pixel calls are read from the outbox, so an event of a rolled-back transaction is never shown. A receipt names the
events that a page was given; it is signed, so only that page can confirm them.

Decision: a receipt means that TikTok's script was loaded. The page waits for the `load` event of events.js, which an ad
blocker prevents. A queued call alone proves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
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
from tiktok_attribution.transactions import protected, takes_several
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


class ShownRows:
    """The rows that were marked as shown by the statement that read them, and when, by database.

    Decision: a page reads and marks in one statement where the engine can (PostgreSQL, outside of a transaction). What
    the response then does not carry is unmarked (`take_back`). A process that is killed in between leaves a mark: an
    event that is named by the cookie is shown again all the same (`SHOWN_AGAIN_SECONDS`). Inside a transaction the mark
    would lock the row until the view ends, and a worker would wait for it; so there it is written after the view.
    """

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self._at: dict[str, datetime] = {}

    def moment_for(self, using: str) -> datetime | None:
        """Return the moment to mark rows with; None if this database gets its marks later."""
        connection = connections[using]
        if connection.vendor != "postgresql" or connection.in_atomic_block or not connection.get_autocommit():
            return None
        return self._at.setdefault(using, timezone.now())

    def take_back(self, keys: Iterable[Key]) -> None:
        """Remove the marks of these rows, because no page shows them after all."""
        taken = self.keys.intersection(keys)
        self.keys -= taken
        for using, at in self._at.items():
            _set(taken, "browser_at", None, was=at, using=using)


def of_keys(keys: Sequence[Key], early: ShownRows | None = None) -> list[PixelCall]:
    """Return the pixel calls of these events in order, without those that were rolled back or shown before."""
    if not keys:
        return []
    found = _stored(partial(_rows_of_keys, keys), early)
    return sorted(found, key=lambda pixel_call: min(map(keys.index, keys_of(pixel_call))))


def of_objects(labels: Sequence[str], early: ShownRows | None = None) -> list[PixelCall]:
    """Return the pixel calls of these objects' conversions ("shop.Order:42") that no page has shown."""
    if not labels:
        return []
    named = [(model, object_key(pk)) for model, _, pk in (label.partition(":") for label in labels)]
    return _stored(partial(_rows_of_objects, named), early)


def note_shown(keys: Iterable[Key]) -> None:
    """Note that a page was given the pixel calls of these rows."""
    _note_first(keys, "browser_at")


def note_confirmed(keys: Iterable[Key]) -> None:
    """Note that the page made the pixel calls of these rows, with events.js loaded to send them."""
    _note_first(keys, "browser_confirmed_at")


def _note_first(keys: Iterable[Key], column: str) -> None:
    """Set this column to the current time on rows where it is empty."""
    found = list(keys)
    for using in outbox_databases() if found else ():
        _set(found, column, timezone.now(), was=None, using=using)


def _set(keys: Iterable[Key], column: str, value: datetime | None, *, was: datetime | None, using: str) -> None:
    """Set a moment, or None, on those of the rows whose column is still as it `was`."""
    condition, named = _condition(list(keys))
    if not named:
        return
    connection = connections[using]
    event, body = _tables(using)
    key, name = connection.ops.quote_name("id"), connection.ops.quote_name(column)
    found = f"SELECT {key} FROM {body} WHERE {condition}"  # noqa: S608 -- names of our tables
    before = "IS NULL" if was is None else "= %s"
    text = f"UPDATE {event} SET {name} = %s WHERE {name} {before} AND {key} IN ({found})"  # noqa: S608 -- same
    given = [value] if was is None else [value, was]
    moments = [None if one is None else connection.ops.adapt_datetimefield_value(one) for one in given]
    try:
        with protected(using), connection.cursor() as cursor:
            cursor.execute(text, [*moments, *named])
    except DatabaseError:
        logger.exception("tiktok: could not note %s of a pixel call", column)


class Row(NamedTuple):
    """The columns that make a pixel call."""

    name: str
    event_id: str
    pixel_code: str
    payload: str


def _stored(read: Callable[[str, datetime | None], list[Row]], early: ShownRows | None) -> list[PixelCall]:
    found: dict[Key, PixelCall] = {}
    for using in outbox_databases():
        marked_at = None if early is None else early.moment_for(using)
        with protected(using):  # a query that fails must not break the site's own transaction
            rows = read(using, marked_at)
        if early is not None and marked_at is not None:
            early.keys.update(Key(row.pixel_code, row.name, row.event_id) for row in rows)
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
def _rows(condition: str, values: list[Any], using: str, marked_at: datetime | None) -> list[Row]:
    """Return the events that have a pixel call and fit the condition (over b, their body, and e), oldest first.

    With `marked_at`, those that no page has shown before are marked as shown at that moment.
    """
    event, body = _tables(using)
    text = f"""SELECT e.name, b.event_id, e.pixel_code, b.payload, e.id, e.event_time
        FROM {body} b INNER JOIN {event} e ON e.id = b.id
        WHERE {condition} AND b.payload <> %s AND e.wants_browser = %s AND e.state <> %s"""  # noqa: S608 -- our tables
    values = [*values, "", True, State.AWAITING_CONSENT]
    if marked_at is None:
        text = f"{text} ORDER BY e.event_time, e.name, b.event_id, e.id"
    else:
        update = f"UPDATE {event} SET browser_at = %s WHERE browser_at IS NULL AND id IN (SELECT id FROM found)"  # noqa: S608
        text = (
            f"WITH found AS ({text}), marked AS ({update}) SELECT * FROM found ORDER BY event_time, name, event_id, id"  # noqa: S608
        )
        values.append(marked_at)
    connection = connections[using]
    with connection.cursor() as cursor:
        # Decision: a page does not wait until its mark is on the disk, which took most of what the page cost. Several
        # statements in one trip are one transaction. A crash of the database within half a second loses the mark, and
        # the event is shown once more.
        is_lazy = marked_at is not None and takes_several(connection, cursor)
        cursor.execute(f"SET LOCAL synchronous_commit TO off; {text}" if is_lazy else text, values)
        if is_lazy:
            cursor.nextset()  # from the empty result of SET to the rows
        return [Row(*one[:4]) for one in cursor.fetchall()]


def _rows_of_keys(keys: Sequence[Key], using: str, marked_at: datetime | None = None) -> list[Row]:
    """Return those of these events that no page has shown, or that one showed lately without confirming it."""
    since = connections[using].ops.adapt_datetimefield_value(moment(time() - SHOWN_AGAIN_SECONDS))
    named, values = _condition(keys)
    unseen = "(e.browser_at IS NULL OR (e.browser_at >= %s AND e.browser_confirmed_at IS NULL))"
    return _rows(f"({named}) AND {unseen}", [*values, since], using, marked_at)


def _rows_of_objects(objects: Sequence[tuple[str, str]], using: str, marked_at: datetime | None = None) -> list[Row]:
    """Return the events of these objects (label, key) that no page has shown."""
    digests = [digest(key) for _, key in objects]
    found = f"b.object_digest IN ({_places(digests)})"  # the index holds the keys alone, for every label
    named = " OR ".join(["(e.object_label = %s AND e.object_pk = %s)"] * len(objects))
    values = [*digests, *(text for one in objects for text in one)]
    return _rows(f"{found} AND ({named}) AND e.browser_at IS NULL", values, using, marked_at)


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
