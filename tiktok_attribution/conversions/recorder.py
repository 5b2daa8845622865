"""Record an event: decide whether it may go, build it, and write its outbox rows in the caller's transaction.

`record` is the entry point for declarations and for `track`. It writes the outbox rows and prepares the pixel call.
An error here never stops the caller's own work. `permitted` combines what the site knows of a person's consent with
the visitor's answer. `channels_now` says which channels an event has. `paused` stops recording for imports and seeds.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from time import time
from typing import Any

from django.db import connections, transaction

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Consent, Decision, Reason, denied
from tiktok_attribution.conversions.conversion import BROWSER, SERVER
from tiktok_attribution.conversions.event_source import Built, EventSource
from tiktok_attribution.conversions.recorded import Recorded, fill, request_end_is_to_come
from tiktok_attribution.conversions.written import forget_written
from tiktok_attribution.delivery import outages, outbox
from tiktok_attribution.delivery.clock import DatabaseNow
from tiktok_attribution.delivery.consent_hold import keys_of
from tiktok_attribution.delivery.suppressed import count_suppressed, refuse_objects
from tiktok_attribution.events.ids import object_event_id, valid_event_id
from tiktok_attribution.events.names import PAGE_VIEW
from tiktok_attribution.events.wire import browser_call
from tiktok_attribution.exceptions import InvalidEvent, TooOld
from tiktok_attribution.failures import reason, report
from tiktok_attribution.models import OutboxEvent, State, moment
from tiktok_attribution.transactions import together
from tiktok_attribution.visitor.snapshot import suppress
from tiktok_attribution.visitor.visitor import Commitment, PixelCall, Visitor, identify_keys

logger = logging.getLogger("tiktok_attribution")

_paused: ContextVar[bool] = ContextVar("tiktok_attribution_paused", default=False)


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside this block, and never record later what happened in it. For imports, fixtures and seeds.

    An object that counts when it is saved here gets a mark. No later save, webhook or backfill records it then. An
    order that is imported unpaid gets no mark, so it counts when it is paid after the import.

    `bulk_create()` and `QuerySet.update()` send no signals. Pass their objects to `hold_back()`.
    """
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def is_inside_paused() -> bool:
    """Return True inside `paused()` only. What happens while the app is switched off is left for the backfill."""
    return _paused.get()


def is_paused() -> bool:
    """Return True inside `paused()`, and while the app is switched off."""
    return _paused.get() or not conf.current().enabled


def permitted(declared: Consent, visitor: Decision | None) -> Decision:
    """Decide whether an event may be recorded, from the site's knowledge and the visitor's answer.

    `declared` is what the site knows of the consent of the object's person. `visitor` is None without a visitor.

    A refusal from either side counts. Where the visitor's reason is NO_VISITOR, only its flag for limited data use is
    used (see `refusal_of`). If the site asks for consent and no person is known who could answer, the event is denied.
    It does not await consent, because no answer would ever reach it.
    """
    limited = visitor is not None and visitor.limited_data_use
    if visitor is not None and visitor.reason is Reason.NO_VISITOR:
        visitor = None
    if visitor is not None and visitor.is_denied:
        return visitor
    if declared is Consent.DENIED:
        return denied(Reason.DENIED)
    if declared is Consent.GRANTED:
        return Decision(consent=Consent.GRANTED, limited_data_use=limited)
    if visitor is not None:
        return visitor
    if conf.current().asks:
        return denied(Reason.NO_VISITOR)
    return Decision(consent=Consent.GRANTED, limited_data_use=limited)


NO_PIXEL = 'No pixel is known: set PIXEL_CODE, or "pixel" in the declaration.'
NO_PAGE = "No page address is known, and TikTok wants one: set SITE_URL."
LOST = "it has no object to record it from later, so it is lost"
_NAME = re.compile(r"[A-Za-z0-9_ -]{1,50}")


def record(source: EventSource, visitor: Visitor | None) -> Recorded | None:
    """Record an event from its source, once for each pixel. Return None if it was recorded before or can't be built.

    Raises nothing, with two exceptions: the setting STRICT is on, or the database has rolled back the caller's whole
    transaction (see `transactions.is_lost`).
    """
    # Decision: building and inserting run inside one savepoint, and then nothing is raised. What fails is rolled back
    # alone. It is recorded as invalid, with a reason that holds no personal data. If even that fails, it is logged.
    # One error is passed on: the database has rolled back the caller's whole transaction (a deadlock on MySQL and
    # MariaDB, a lost connection). Django would end such a block without a commit and without an error, and the shop
    # would confirm an order that is gone.
    if source.decision.is_denied:
        _leave_out(source, source.decision.reason or Reason.DENIED)
        return None
    block = None
    try:
        connection = connections[source.using]
        is_open = connection.in_atomic_block
        commits_each = not is_open and source.again is not None and connection.get_autocommit()
        with together(source.using) as block:
            built = source.build()
            unfinished = _is_unfinished(source, built, commits_each=commits_each)
            rows = _rows(source, built, unfinished=unfinished)
            if len(rows) == 1:
                block.next_is_last(ends=True)  # the INSERT is all that can fail
            rows = [row for row in rows if outbox.add(row, using=source.using)]
    except outbox.LockConflict as conflict:
        _give_way(source, conflict, is_lost=block is not None and block.has_lost_all)
        return None
    except Exception as error:
        if block is not None and block.has_lost_all:
            raise
        _record_unbuilt(source, error)
        return None
    if not rows:
        return None
    outages.kept(source.using)
    recorded = Recorded(source=source, built=built, rows=rows, is_open=is_open, unfinished=unfinished)
    recorded.commitment = Commitment(source.using, then=recorded.commit)
    if visitor is not None:
        _tell_visitor(recorded, visitor)
    return recorded


def _tell_visitor(recorded: Recorded, visitor: Visitor) -> None:
    """Give the visitor the event's pixel call, and remember the rows that their later answer decides."""
    source, rows, event = recorded.source, recorded.rows, recorded.event
    if conf.current().asks:
        for key in keys_of(rows):
            visitor.answers_for(key, recorded.commitment, awaiting=not source.decision.is_granted)
    if rows[0].wants_browser and source.decision.is_granted:
        codes = tuple(row.pixel_code for row in rows)
        recorded.pixel_call = PixelCall(call=browser_call(event), pixel_codes=codes, identify=identify_keys(event.user))
        visitor.show(recorded.pixel_call, recorded.commitment)


def _is_unfinished(source: EventSource, built: Built, *, commits_each: bool) -> bool:
    """Return True if the event may still change in a way that no later signal or statement would show.

    An order's lines are often saved after the order. In an open transaction `recorded.Watch` sees them when they are
    written. Without a transaction each line is committed alone; the end of the request is the first moment at which
    all of them exist. A task or a command has no such end. There, an event that has contents counts as finished.
    Otherwise each payment that a task confirms would wait for the sweep.
    """
    if source.again is None or not built.has_contents:
        return False
    return built.incomplete or (commits_each and request_end_is_to_come())


def _leave_out(source: EventSource, reason: Reason) -> None:
    """Suppress the event: count it, and mark the object as refused so that no webhook or backfill sends it later."""
    if not any(channels_now(source.channels, source.name)):
        return
    will, objects = source.signals.decision, [(source.object_label, source.object_pk)]
    refused = objects if source.object_label and will is not None and will.is_refusal else ()
    try:
        with outages.noticing(source.using, refused=refused, reason=reason), transaction.atomic(using=source.using):
            _note_at_object(source, reason)
            count_suppressed(source.pixel_codes, _harmless_name(source.name), reason, using=source.using)
    except Exception as error:
        report(error, "%s was left out, and could not be counted", _harmless_name(source.name))


def _note_at_object(source: EventSource, reason: Reason) -> None:
    """Mark the object where the person refused, or where the site's PRIVATE_PATHS forbids the event.

    The person's own will is stored, so no webhook and no backfill records the event later. Other circumstances of a
    request are not stored (see `consent.decision.REFUSALS`). For example, the backfill finds an order that was
    completed in a prefetch or by a bot's user agent. PRIVATE_PATHS is a veto of the site, so the backfill skips those
    as well.
    """
    will = source.signals.decision
    if not source.object_label:
        return
    forget_written(source.using)
    if will is not None and will.is_refusal:
        refuse_objects([(source.object_label, source.object_pk)], will.reason or reason, using=source.using)
    elif reason is Reason.PRIVATE_PATH:
        suppress(source.name, source.signals, source.object_label, source.object_pk, using=source.using)


def channels_now(channels: str, name: str) -> tuple[bool, bool]:
    """Return which channels an event has in the configured mode, as (server, browser)."""
    settings = conf.current()
    to_server = channels != BROWSER and settings.sends_to_server(name)
    # Every page with the tag sends its page view by ttq.page(), as TikTok's base code does. A pixel call of the same
    # name would be a second page view. So this event has only the server channel, unless "browser" is asked for.
    to_browser = channels == BROWSER if name == PAGE_VIEW else channels != SERVER
    return to_server, to_browser and settings.mode == conf.DEVELOPER


def _rows(source: EventSource, built: Built, *, unfinished: bool) -> list[OutboxEvent]:
    settings, event = conf.current(), built.event
    to_server, to_browser = channels_now(source.channels, event.name)
    if not to_server and not to_browser:
        return []
    if not source.pixel_codes:
        raise InvalidEvent(NO_PIXEL)
    if to_server and not event.page.url:
        raise InvalidEvent(NO_PAGE)
    if not source.decision.is_granted and (not to_server or not settings.awaiting_consent_hours):
        _leave_out(source, Reason.NO_ANSWER)  # only a server event can wait for an answer
        return []
    rows = []
    for pixel_code in dict.fromkeys(source.pixel_codes):
        row = _bare_row(source, pixel_code)
        fill(row, event, built.notes)
        row.wants_browser = to_browser
        row.lane = outbox.lane_at(time(), settings.lanes)
        row.state, row.due_at = (State.WAITING, DatabaseNow()) if to_server else (State.BROWSER_ONLY, None)
        if not source.decision.is_granted:
            row.state, row.due_at = State.AWAITING_CONSENT, None
        if unfinished:
            row.unfinished_since, row.due_at = DatabaseNow(), None
        rows.append(row)
    return rows


@lru_cache(maxsize=1)
def _defaults() -> Any:
    """Cache the default of each column: a row costs 5 µs. Django needs 12 µs for it, or 20 µs with values by name."""
    blank = OutboxEvent()
    return tuple(getattr(blank, field.attname) for field in OutboxEvent._meta.concrete_fields)


def _bare_row(source: EventSource, pixel_code: str) -> OutboxEvent:
    now = time()
    row = OutboxEvent(*_defaults())
    row.pixel_code, row.event_time, row.created_at = pixel_code, int(now), moment(now)
    row.object_label, row.object_pk = source.object_label, source.object_pk
    row.visitor_key = source.signals.visitor_key if source.decision.is_granted else None
    return row


def _give_way(source: EventSource, conflict: outbox.LockConflict, *, is_lost: bool) -> None:
    """Leave the event to the other transaction. Inserting an invalid row here would wait for the same lock again."""
    if conf.current().strict:
        raise conflict.error
    name, event_id = _harmless_name(source.name), _harmless_id(source.event_id)
    if is_lost:
        logger.warning(
            "tiktok: the database has rolled back the transaction that recorded %s %s: %s. The error is passed on",
            *(name, event_id, conflict),
        )
        raise conflict.error
    logger.warning(
        "tiktok: %s %s was not recorded by this transaction: %s. Most likely the other one records the same event id: "
        "when it commits, its event stands and counts once; when not, %s",
        *(name, event_id, conflict, "tiktok_backfill finds the object's event" if source.object_label else LOST),
    )


def _record_unbuilt(source: EventSource, error: Exception) -> None:
    """Record what could not be built as invalid, but only count what is too old.

    An order from an import, or from before the app was installed, is not an error of the site. A row for each of a
    hundred thousand such orders would help no one. The count still shows a declaration whose "time" names a wrong
    field.
    """
    if isinstance(error, TooOld) and source.object_label:
        _leave_out(source, Reason.TOO_OLD)
    else:
        _record_invalid(source, error)


def _record_invalid(source: EventSource, error: Exception) -> None:
    """Store what could not be built as an invalid row, with a reason that a person understands."""
    if conf.current().strict:
        raise error
    message, name, event_id = reason(error), _harmless_name(source.name), _harmless_id(source.event_id)
    logger.warning("tiktok: %s %s is invalid: %s", name, event_id, message)
    try:
        with outages.noticing(source.using), transaction.atomic(using=source.using):
            for pixel_code in source.pixel_codes or [""]:
                row = _bare_row(source, pixel_code)
                row.name, row.event_id, row.state, row.note = name, event_id, State.INVALID, message[:500]
                if not outbox.add(row, using=source.using):
                    outbox.renew_note(row, using=source.using)
    except Exception as second:
        # The outbox itself failed (no table, a full disk). The order goes on, and the backfill finds it later.
        later = "tiktok_backfill finds it later, if it is known to be allowed" if source.object_label else LOST
        report(second, "%s %s could not be recorded, %s", name, event_id, later)


def _harmless_name(name: str) -> str:
    """Return the name if it is a valid one. Anything else could be personal data that was passed by accident."""
    return name if _NAME.fullmatch(name) else "(unusable name)"


def _harmless_id(event_id: str) -> str:
    """Return the id if it is valid, else a digest of it: it may be personal data, or too long for its column."""
    try:
        return valid_event_id(event_id)
    except InvalidEvent:
        return object_event_id("unusable", event_id or "empty")
