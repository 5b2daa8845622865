"""Finish recorded events: build an event again while its object may still change, then make it due.

`Recorded` is an event that is not sent yet. `Watch` sees what else is written in its transaction: lines that follow
their order, or a total that `QuerySet.update()` sets. `note` and `find` keep the events of open transactions by
connection, so a second save finds the event of the first one. `at_end` and `run` are for the end of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest

from tiktok_attribution import tasks
from tiktok_attribution.consent.types import Reason
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.event_source import Built, EventSource
from tiktok_attribution.delivery import outbox
from tiktok_attribution.delivery.clock import DatabaseNow
from tiktok_attribution.delivery.outbox import forget
from tiktok_attribution.delivery.suppressed import count_suppressed
from tiktok_attribution.events import Event
from tiktok_attribution.events.hashing import match_bits, search_key
from tiktok_attribution.events.wire import browser_call, browser_call_of_text, event_text
from tiktok_attribution.failures import report
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.signals import event_recorded
from tiktok_attribution.transactions import is_lost, protected
from tiktok_attribution.visitor.visitor import Commitment, PixelCall, current_request, identify_keys

ATTRIBUTE = "_tiktok_at_end"

Waiting = Callable[[], None]


def request_end_is_to_come() -> bool:
    """Return whether a request is being answered: False in a task or a command, and without the middleware."""
    return current_request.get() is not None


def at_end(then: Waiting) -> bool:
    """Run `then` when the current request has been answered. Return False without a request."""
    request = current_request.get()
    if request is None:
        return False
    request.__dict__.setdefault(ATTRIBUTE, []).append(then)
    return True


def run_at_end(request: HttpRequest) -> None:
    """Run what waits for the end of this request, each once. An error in one does not stop the others."""
    for then in request.__dict__.pop(ATTRIBUTE, ()):
        try:
            then()
        except Exception as error:
            report(error, "an event could not be built again at the end of its request, so its first version is sent")


OUR_TABLES = "tiktok_attribution_"
_AROUND_NAMES = str.maketrans(dict.fromkeys("\"'`[]().,;", " "))


# Decision: an event is not due before it is finished. An order is often saved before its lines or its total. Until then
# its rows are marked with `unfinished_since` and have no `due_at` (`delivery.outbox`). The UPDATE that makes a row due
# checks the mark, so no worker can have read the body that it changes. No clock decides this.
@dataclass(kw_only=True, eq=False)
class Recorded:
    """The rows of a new event, and its pixel call if this visitor's page shows it.

    The event is finished when nothing more can change it, at the first of three moments:

    - When it is built, if it has contents and its transaction writes nothing more of it. This is the usual order,
      whose lines are saved before it is paid. It costs no further statement.
    - At the commit, which builds the event again. Its contents were empty, or something was written after it.
    - At the end of the request, if lines may be saved in transactions of their own. There was no transaction, or
      the contents are still empty. Without a request, the sweep finishes the event a minute later
      (`conversions.finishing`). The sweep also finishes what a killed process left.

    `is_open`: the rows were written in a transaction of the site. `is_saving`: its object is being saved there again,
    which builds the event again anyway. `unfinished`: the rows are marked as unfinished, or may be, because a rollback
    to a savepoint may have removed the mark.
    """

    source: EventSource
    built: Built
    rows: list[OutboxEvent]
    is_open: bool
    unfinished: bool
    event: Event = field(init=False)
    commitment: Commitment = field(init=False)
    pixel_call: PixelCall | None = None
    is_saving: bool = False
    _is_postponed: bool = False
    _renewed: bool = False

    def __post_init__(self) -> None:
        self.event = self.built.event
        self._is_postponed = self.unfinished

    def commit(self) -> None:
        """Finish the event at the commit, and wake its workers. Without an open transaction this runs at once."""
        try:
            if self.unfinished:
                self._finish_by_commit()
            elif self._renewed and self.pixel_call is not None:
                self._show_what_is_stored(self.pixel_call)
        except Exception as error:
            report(error, "%s stays as it was", self.source.event_id)
        if not self.unfinished:
            wake_workers(self.rows, using=self.source.using)

    def _finish_by_commit(self) -> None:
        """Finish the event now, unless lines may still be saved in a transaction of their own."""
        source, built = self._again() if self.is_open else (None, None)
        if self.is_open and (built is None or not built.incomplete):
            self._finish(source, built)
        else:
            at_end(self.finish)  # without a request, the sweep finishes it

    def finish(self) -> None:
        """Finish the event at the end of the request, with what the object holds then."""
        self._finish(*self._again())
        wake_workers(self.rows, using=self.source.using)

    def _again(self) -> tuple[EventSource | None, Built | None]:
        """Build the event again from the stored object. Return None for what is gone or can't be built any more."""
        source = None
        try:
            source = self.source.again(self.event.event_time) if self.source.again is not None else None
            return source, None if source is None or source.decision.is_denied else source.build()
        except Exception as error:
            report(error, "%s could not be built again, so its first version is sent", self.source.event_id)
            return source, None

    def _finish(self, source: EventSource | None, built: Built | None) -> None:
        using = self.source.using
        if source is not None and source.decision.is_denied:
            self._take_back(source.decision.reason or Reason.DENIED)
            self.unfinished = False
            return
        finished = []  # without the rows that the sweep has finished, or that a person has cancelled meanwhile
        with transaction.atomic(using=using):
            for row in self.rows:
                before = row.payload
                if built is not None:
                    fill(row, replace(built.event, event_id=self.event.event_id), built.notes)
                # A renewal may have been rolled back with its savepoint. Then the stored text is unknown.
                rebuilt = built is not None and (row.payload != before or self._renewed)
                if outbox.finish(row, using=using, now=DatabaseNow(), rebuilt=rebuilt):
                    finished.append(row)
        self.rows = finished
        if built is not None:
            self._is_now(built)
        self.unfinished = False

    def renew(self, source: EventSource) -> None:
        """Build the event again in the open transaction: lines or a total were saved after it was recorded."""
        if source.decision.is_denied:
            self._take_back(source.decision.reason or Reason.DENIED)
            return
        try:
            with transaction.atomic(using=source.using):
                built = source.build()
                event = replace(built.event, event_id=self.event.event_id)
                for row in self.rows:
                    fill(row, event, built.notes)
                    outbox.rebuild(row, using=source.using)
        except Exception as error:
            report(error, "%s could not be built again, so its first version is sent", self.source.event_id)
            return
        self._is_now(built)
        self._renewed = True
        if built.incomplete:
            self.postpone()

    def _is_now(self, built: Built) -> None:
        self.built, self.event = built, replace(built.event, event_id=self.event.event_id)
        if self.pixel_call is not None:
            self.pixel_call.call, self.pixel_call.identify = browser_call(self.event), identify_keys(self.event.user)

    def concerns(self, statement: str) -> bool:
        """Return whether this statement, which writes something, may change the event."""
        own, others = self.source.tables
        if self.is_saving and _names(own, statement):
            return False
        if others is None and self.built.has_contents:
            return OUR_TABLES not in statement  # only the site's own code knows which tables it reads
        return _names(own | (others or frozenset()), statement)

    def postpone(self) -> None:
        """Mark the rows as unfinished: something that the event is built from has been written since."""
        if not self._is_postponed:
            outbox.postpone([row.pk for row in self.rows], using=self.source.using, now=DatabaseNow())
            self._is_postponed = self.unfinished = True

    def rolled_back(self) -> None:
        """Forget that the rows are marked: the rollback may go to a savepoint before the mark."""
        self._is_postponed = False

    def _take_back(self, reason: Reason) -> None:
        """Delete the event and count it as suppressed: its object refuses since the event was recorded."""
        using, pks = self.source.using, [row.pk for row in self.rows]
        mine = OutboxEvent.objects.using(using).untried()
        with transaction.atomic(using=using):
            forget(mine if self.commitment.is_open else OutboxEvent.objects.using(using).still_built(pks), pks)
            count_suppressed([row.pixel_code for row in self.rows], self.event.name, reason, using=using)
        self.rows = []
        self.commitment.take_back()

    def _show_what_is_stored(self, pixel_call: PixelCall) -> None:
        """Read the pixel call from the stored row: a rollback to a savepoint may have undone a renewal."""
        rows = OutboxEvent.objects.using(self.source.using).untried().filter(pk=self.rows[0].pk)
        payload = rows.values_list("payload", flat=True).first()
        if payload:
            pixel_call.call = browser_call_of_text(payload)


def wake_workers(rows: list[OutboxEvent], *, using: str) -> None:
    """Send `event_recorded` for finished rows, and wake a worker for those that are due."""
    for row in rows:
        event_recorded.send_robust(OutboxEvent, event=row, using=using)
        if row.due_at is not None:
            tasks.wake_worker(row.pixel_code, using)


def fill(row: OutboxEvent, event: Event, notes: list[str]) -> None:
    """Copy the built event into its row: body, value, note and search keys. The note has at most 500 characters."""
    row.name, row.event_id, row.event_time = event.name, event.event_id, event.event_time
    row.payload = event_text(event)
    value = event.properties.get("value")
    row.value = Decimal(str(value)) if value is not None else None
    row.currency = event.properties.get("currency", "")
    row.note = " ".join(f"{note.rstrip('.')}." for note in notes)[:500]
    row.match_keys = match_bits(event.user)
    row.email_key = search_key(event.user.email[0] if event.user.email else "")


def _names(tables: frozenset[str], statement: str) -> bool:
    return not tables.isdisjoint(statement.translate(_AROUND_NAMES).split())


# The connection's own list of commit hooks keeps these alive, and they go with it. They are not kept on the objects,
# because those are copied, pickled and loaded twice.
Open = WeakValueDictionary[tuple[Conversion, Hashable], Recorded]
_by_connection: WeakKeyDictionary[BaseDatabaseWrapper, Open] = WeakKeyDictionary()

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]
HEAD = 200  # characters of a statement that are read: what it does, and to which table
READS = ("SELECT", "SAVEPO", "RELEAS", "BEGIN", "EXPLAI", "SET", "SHOW", "FETCH", "DECLAR")


def note_recorded(conversion: Conversion, pk: Hashable, recorded: Recorded, *, using: str) -> None:
    """Remember this event until the transaction ends, and watch the statements that follow it."""
    connection = connections[using]
    _by_connection.setdefault(connection, WeakValueDictionary())[conversion, pk] = recorded
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, Watch):
            wrapper.add(recorded)
            return
    Watch(connection).add(recorded)


def find_recorded(conversion: Conversion, pk: Hashable, *, using: str) -> Recorded | None:
    """Return the event of this object's conversion in the open transaction; None if it was rolled back."""
    here = _by_connection.get(connections[using])
    recorded = here.get((conversion, pk)) if here else None
    return recorded if recorded is not None and recorded.commitment.is_open else None


class Watch:
    """Watch the statements that follow an event in its transaction, and no other statements.

    With the first statement after the transaction, the watch removes itself from the connection.
    """

    # Decision: statements are watched, not signals. `bulk_create()`, `QuerySet.update()` and raw SQL send no signals,
    # and a receiver of every `post_delete` would cost the site its fast deletes. Open events are known by connection
    # and not by instance, so an order can be copied and pickled.

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._recorded: WeakSet[Recorded] = WeakSet()
        self._is_busy = False
        # First in the list means outermost: code that adds a wrapper for a while removes the last one.
        connection.execute_wrappers.insert(0, self)

    def add(self, recorded: Recorded) -> None:
        """Watch this event too."""
        self._recorded.add(recorded)

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not self._is_busy:
            self._is_busy, was_lost = True, self._connection.needs_rollback
            try:
                self._look(sql if isinstance(sql, str) else str(sql))
            except Exception as error:
                if is_lost(self._connection, was_lost=was_lost):
                    raise  # the site must see this error, see `transactions.is_lost`
                report(error, "can't tell whether an event changed before its commit")
            finally:
                self._is_busy = False
        return execute(sql, params, many, context)

    def _look(self, sql: str) -> None:
        """Handle a statement before it runs. After it, rows that it returns may not have been fetched yet."""
        head = sql[:HEAD].lstrip()
        word = head[:6].upper()
        if not self._connection.in_atomic_block or not self._recorded:
            self._leave()
        elif word == "ROLLBA":
            for recorded in self._recorded:
                recorded.rolled_back()
        elif not word.startswith(READS):
            self._on_statement(head)

    def _on_statement(self, statement: str) -> None:
        still = [recorded for recorded in self._recorded if recorded.commitment.is_open]
        if not still:
            self._leave()
        for recorded in still:
            if recorded.concerns(statement):
                with protected(self._connection.alias):
                    recorded.postpone()

    def _leave(self) -> None:
        if self in self._connection.execute_wrappers:
            self._connection.execute_wrappers.remove(self)
