"""From a fact to an outbox row and a browser half, in the caller's transaction, and never in the shopper's way."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import time

from django.db import transaction

from tiktok_attribution import conf, tasks
from tiktok_attribution.conversions.declaration import BROWSER, SERVER
from tiktok_attribution.delivery import outbox
from tiktok_attribution.events import Event
from tiktok_attribution.events.payload import browser_call, event_text
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import OutboxEvent, State, moment
from tiktok_attribution.signals import event_recorded
from tiktok_attribution.visitor.showing import Showing, identify_keys
from tiktok_attribution.visitor.visitor import Visitor

logger = logging.getLogger("tiktok_attribution")
_paused: ContextVar[bool] = ContextVar("tiktok_attribution_paused", default=False)

NO_PIXEL = "No pixel code is configured: set PIXEL_CODE."


@contextmanager
def paused() -> Iterator[None]:
    """Record nothing inside this block: for imports, fixtures and seeds."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def is_paused() -> bool:
    """True inside `paused()`, and where the app is switched off."""
    return _paused.get() or not conf.current().enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What happened, before it is an event: enough to say which one even if building it fails."""

    name: str
    event_id: str
    build: Callable[[], tuple[Event, list[str]]]
    using: str
    pixel_codes: Sequence[str]
    halves: str
    object_label: str = ""
    object_pk: str = ""


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What became of a fact: the rows that were new, and its browser half where this visitor's page shows it."""

    fact: Fact
    event: Event | None
    rows: list[OutboxEvent]
    showing: Showing | None = None
    settle: Callable[[], None] | None = None

    def renew(self) -> None:
        """Build again, before anything was sent: lines or a total were saved after the event was recorded."""
        fact = self.fact
        try:
            with transaction.atomic(using=fact.using):
                event, notes = fact.build()
                event = replace(event, event_time=self.event.event_time) if self.event else event
                for row in self.rows:
                    _fill(row, event, notes)
                    unsent = OutboxEvent.objects.using(fact.using).filter(attempts=0)
                    unsent.filter(pixel_code=row.pixel_code, name=row.name, event_id=row.event_id).update(
                        payload=row.payload, value=row.value, currency=row.currency, note=row.note
                    )
        except Exception:
            _failed(fact)
            return
        if self.showing is not None:
            self.showing.call = browser_call(event)


def record(fact: Fact, visitor: Visitor | None) -> Recorded | None:
    """Record a fact once for each of its pixels; None if it stood there already, or could not even be noted.

    Raises nothing, unless the setting STRICT asks for it. The savepoint keeps any database error of building or
    inserting from the caller's transaction.
    """
    try:
        with transaction.atomic(using=fact.using):
            event, notes = fact.build()
            rows = [row for row in _rows(fact, event, notes) if outbox.add(row, using=fact.using)]
    except Exception as error:
        _record_invalid(fact, error)
        return None
    if not rows:
        return None
    recorded = Recorded(fact=fact, event=event, rows=rows)
    if visitor is not None and rows[0].wants_browser:
        codes = tuple(row.pixel_code for row in rows)
        recorded.showing = Showing(
            call=browser_call(event), pixel_codes=codes, identify=identify_keys(event.user)
        )
        visitor.to_show.append(recorded.showing)
    _announce(rows, fact.using)
    return recorded


def _rows(fact: Fact, event: Event, notes: list[str]) -> list[OutboxEvent]:
    settings = conf.current()
    if not fact.pixel_codes:
        raise InvalidEvent(NO_PIXEL)
    to_server = fact.halves != BROWSER and settings.sends_to_server(event.name)
    to_browser = fact.halves != SERVER and settings.mode == conf.DEVELOPER
    if not to_server and not to_browser:
        return []
    if to_server and not event.page.url:
        raise InvalidEvent("No page address is known, and TikTok wants one: set SITE_URL.")
    rows = []
    for pixel_code in fact.pixel_codes:
        row = _bare_row(fact, pixel_code)
        row.wants_browser = to_browser
        row.lane = outbox.lane_of(row.event_id, settings.lanes)
        row.state, row.due_at = (State.WAITING, time()) if to_server else (State.BROWSER_ONLY, None)
        _fill(row, event, notes)
        rows.append(row)
    return rows


def _bare_row(fact: Fact, pixel_code: str) -> OutboxEvent:
    return OutboxEvent(
        pixel_code=pixel_code[:64],
        name=fact.name[:50],
        event_id=fact.event_id[:128],
        event_time=int(time()),
        object_label=fact.object_label,
        object_pk=fact.object_pk[:64],
        created_at=moment(time()),
    )


def _fill(row: OutboxEvent, event: Event, notes: list[str]) -> None:
    row.name, row.event_time, row.payload = event.name, event.event_time, event_text(event)
    value = event.properties.get("value")
    row.value = Decimal(str(value)) if value is not None else None
    row.currency = event.properties.get("currency", "")
    row.note = " ".join(notes)[:500]


def _record_invalid(fact: Fact, error: Exception) -> None:
    """Keep what could not be built, with a reason that a person understands."""
    if conf.current().strict:
        raise error
    reason = str(error) if isinstance(error, InvalidEvent) else _where(error)
    logger.warning("tiktok: %s %s is invalid: %s", fact.name, fact.event_id, reason)
    try:
        with transaction.atomic(using=fact.using):
            for pixel_code in fact.pixel_codes or [""]:
                row = _bare_row(fact, pixel_code)
                row.state, row.note = State.INVALID, reason[:500]
                outbox.add(row, using=fact.using)
    except Exception:
        _failed(fact)


def _where(error: Exception) -> str:
    """Type and place of an unexpected error, without its text: that may hold anybody's data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{place} while the event was built."


def _failed(fact: Fact) -> None:
    """The outbox itself failed (no table, a full disk): the order goes on, the log has it, the backfill finds it."""
    logger.exception("tiktok: %s %s could not be recorded; tiktok_backfill finds it later", fact.name, fact.event_id)


def _announce(rows: list[OutboxEvent], using: str) -> None:
    transaction.on_commit(partial(_committed, rows, using), using=using, robust=True)


def _committed(rows: list[OutboxEvent], using: str) -> None:
    for row in rows:
        event_recorded.send(OutboxEvent, event=row, using=using)
        if row.due_at is not None:
            tasks.hint(row.pixel_code, using)
