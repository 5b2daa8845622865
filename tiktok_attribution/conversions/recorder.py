"""Recording nothing for a while.

What is saved inside `paused()`, and counts by that, gets a mark: no later save, webhook or backfill records it. An
order that is imported unpaid gets none; it counts when it is paid after the import.

What an event may do: its object's own word and its visitor's answer, put together.

From a fact to an outbox row and a pixel call, in the caller's transaction, and never in the shopper's way.
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
from tiktok_attribution.consent.decision import Consent, Decision, Reason, denied
from tiktok_attribution.conversions import recorded as request_end
from tiktok_attribution.conversions import written
from tiktok_attribution.conversions.conversion import BROWSER, SERVER
from tiktok_attribution.conversions.event_source import Built, EventSource
from tiktok_attribution.conversions.recorded import Recorded, fill
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
    """Record nothing inside this block, nor of what happened in it: for imports, fixtures and seeds.

    `bulk_create()` and `QuerySet.update()` send no signals, so name their objects by `hold_back()`.
    """
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def is_inside_paused() -> bool:
    """True inside `paused()` alone: what happens while the app is switched off is for the backfill to find."""
    return _paused.get()


def is_paused() -> bool:
    """True inside `paused()`, and where the app is switched off."""
    return _paused.get() or not conf.current().enabled


def permitted(declared: Consent, visitor: Decision | None) -> Decision:
    """`declared` is what the site knows of the object's person; `visitor` is None where nobody was there.

    A refusal from either side holds. Of a visitor with the reason NO_VISITOR only the flag for limited use counts (see
    `refusal_of`). Where a site asks for consent and nobody is known who could give it, the event is not held: no answer
    would ever reach it.
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


__all__ = ["Recorded", "channels_now", "is_paused", "paused", "record"]


NO_PIXEL = 'No pixel is known: set PIXEL_CODE, or "pixel" in the declaration.'
NO_PAGE = "No page address is known, and TikTok wants one: set SITE_URL."
LOST = "no object tells of it, so it is lost"
_NAME = re.compile(r"[A-Za-z0-9_ -]{1,50}")


def record(source: EventSource, visitor: Visitor | None) -> Recorded | None:
    """Record a fact once for each of its pixels; None if it stood there already, or could not be built.

    Raises nothing, unless the setting STRICT asks for it, or the database has rolled back the caller's whole
    transaction (`protection.is_lost`). The savepoint keeps any other database error from the caller's transaction.
    """
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
    """What this visitor's answer decides, and the pixel call for a page of theirs."""
    source, rows, event = recorded.source, recorded.rows, recorded.event
    if conf.current().asks:
        for key in keys_of(rows):
            visitor.answers_for(key, recorded.commitment, awaiting=not source.decision.is_granted)
    if rows[0].wants_browser and source.decision.is_granted:
        codes = tuple(row.pixel_code for row in rows)
        recorded.pixel_call = PixelCall(call=browser_call(event), pixel_codes=codes, identify=identify_keys(event.user))
        visitor.show(recorded.pixel_call, recorded.commitment)


def _is_unfinished(source: EventSource, built: Built, *, commits_each: bool) -> bool:
    """Whether more may come of what it is made of, before anybody would notice it.

    Lines are what comes after its order. In a transaction the rest is noticed when it is written (`ongoing.Watch`).
    Without one each line is committed by itself, and the end of the request is the first moment at which all are
    there. A task or a command has no such end: there an event that has contents is taken to be finished, or each
    payment that a task confirms would wait for the sweep.
    """
    if source.again is None or not built.has_contents:
        return False
    return built.incomplete or (commits_each and request_end.is_to_come())


def _leave_out(source: EventSource, reason: Reason) -> None:
    """Told to nobody. Only a count stays, and at the object that it is so, for a webhook or a backfill."""
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
    """The person's own will stays at the object: no webhook and no backfill may tell of it later.

    A circumstance does not (see `consent.answer.REFUSALS`); an order that a prefetch or a bot's agent completed is the
    backfill's to find. But PRIVATE_PATHS is a veto of the site's: what happened there is told by no backfill either.
    """
    will = source.signals.decision
    if not source.object_label:
        return
    written.forget(source.using)
    if will is not None and will.is_refusal:
        refuse_objects([(source.object_label, source.object_pk)], will.reason or reason, using=source.using)
    elif reason is Reason.PRIVATE_PATH:
        suppress(source.name, source.signals, source.object_label, source.object_pk, using=source.using)


def channels_now(channels: str, name: str) -> tuple[bool, bool]:
    """Which channels such an event has in the configured mode: (server, browser)."""
    settings = conf.current()
    to_server = channels != BROWSER and settings.sends_to_server(name)
    # Every page with the tag makes its page view by ttq.page(), as TikTok's base code does. A pixel call of this name
    # would be a second one for the same page. So it has the server event alone, unless "browser" is asked for.
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
        row.lane = outbox.lane_of(row.event_id, settings.lanes)
        row.state, row.due_at = (State.WAITING, DatabaseNow()) if to_server else (State.BROWSER_ONLY, None)
        if not source.decision.is_granted:
            row.state, row.due_at = State.AWAITING_CONSENT, None
        if unfinished:
            row.unfinished_since, row.due_at = DatabaseNow(), None
        rows.append(row)
    return rows


@lru_cache(maxsize=1)
def _defaults() -> Any:
    """What Django would ask each column for: 5 µs a row and not 12, or 20 with values by name."""
    blank = OutboxEvent()
    return tuple(getattr(blank, field.attname) for field in OutboxEvent._meta.concrete_fields)


def _bare_row(source: EventSource, pixel_code: str) -> OutboxEvent:
    now = time()
    row = OutboxEvent(*_defaults())
    row.pixel_code, row.event_time, row.created_at = pixel_code, int(now), moment(now)
    row.object_label, row.object_pk = source.object_label, source.object_pk
    return row


def _give_way(source: EventSource, conflict: outbox.LockConflict, *, is_lost: bool) -> None:
    """Leave the event to the other transaction. An invalid row in its place would wait for the same lock once more."""
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
    """As invalid; but an order from an import, or from before the app, is no mistake and alarms nobody.

    Nor is there a row for each of a hundred thousand: the count shows a declaration whose "time" names a wrong field.
    """
    if isinstance(error, TooOld) and source.object_label:
        _leave_out(source, Reason.TOO_OLD)
    else:
        _record_invalid(source, error)


def _record_invalid(source: EventSource, error: Exception) -> None:
    """Keep what could not be built, with a reason that a person understands."""
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
        # The outbox itself failed (no table, a full disk): the order goes on, and the backfill finds it.
        later = "tiktok_backfill finds it later, if it is known to be allowed" if source.object_label else LOST
        report(second, "%s %s could not be recorded, %s", name, event_id, later)


def _harmless_name(name: str) -> str:
    """The name, unless it is none: then it may be anything that landed here, such as an address."""
    return name if _NAME.fullmatch(name) else "(unusable name)"


def _harmless_id(event_id: str) -> str:
    """The id, or a digest of what can't be one: it may be an address, or too long for its column."""
    try:
        return valid_event_id(event_id)
    except InvalidEvent:
        return object_event_id("unusable", event_id or "empty")
