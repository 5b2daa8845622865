"""What waits for the end of the request that is being answered; the middleware lets it run.

What became of a fact, until its event is finished: it may still be built again.

An event is finished when nothing is to come that it is made of. Three moments can be that, the first that fits:

- when it is built, if its contents are there and its transaction writes nothing more of what it is made of: the usual
  order, whose lines were saved before it was paid. It costs nothing more.
- the commit, where it is built again if its contents were empty or if more was written after it was built.
- the end of the request, where lines may be saved in a transaction of their own: without a transaction, and if its
  contents are empty still. Where no request is, the sweep finishes it a minute later (`conversions.finishing`), as it
  does with what a killed process left.

Until then its rows are marked, and not due (`delivery.unfinished`).

Conversions recorded in a transaction that is still open, by connection.

A second save finds the first one's; and what else is written in that transaction is noticed, for an event may be made
of it: lines after their order, a total by `QuerySet.update()`.
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
from tiktok_attribution.consent.decision import Reason
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


def is_to_come() -> bool:
    """False in a task or a command, and without the middleware."""
    return current_request.get() is not None


def at_end(then: Waiting) -> bool:
    """Run it when this request is answered. False where there is none."""
    request = current_request.get()
    if request is None:
        return False
    request.__dict__.setdefault(ATTRIBUTE, []).append(then)
    return True


def run(request: HttpRequest) -> None:
    """Each once; one that fails keeps no other from running."""
    for then in request.__dict__.pop(ATTRIBUTE, ()):
        try:
            then()
        except Exception as error:
            report(error, "an event could not be built again at the end of its request, so its first version is sent")


OUR_TABLES = "tiktok_attribution_"
_AROUND_NAMES = str.maketrans(dict.fromkeys("\"'`[]().,;", " "))


@dataclass(kw_only=True, eq=False)
class Recorded:
    """The rows that were new, and their pixel call where this visitor's page shows it.

    `is_open` is True where they were written in a transaction of the site's; `is_saving` while its object is saved
    there once more, which builds the event again anyway. `unfinished` says that rows are marked so, or may be: a
    rollback to a savepoint may have taken the mark back.
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
        """Run by the commit; at once where no transaction is open."""
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
        """Unless lines may still come, in a transaction of their own."""
        source, built = self._again() if self.is_open else (None, None)
        if self.is_open and (built is None or not built.incomplete):
            self._finish(source, built)
        else:
            at_end(self.finish)  # where there is no request, the sweep does it

    def finish(self) -> None:
        """At the end of the request: whatever is there by now is the event."""
        self._finish(*self._again())
        wake_workers(self.rows, using=self.source.using)

    def _again(self) -> tuple[EventSource | None, Built | None]:
        """As its object stands now; nothing where that is gone, or can't be built any more."""
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
        finished = []  # without those that the sweep was quicker with, or that somebody has cancelled meanwhile
        with transaction.atomic(using=using):
            for row in self.rows:
                before = row.payload
                if built is not None:
                    fill(row, replace(built.event, event_id=self.event.event_id), built.notes)
                # A renewal may have been rolled back with its savepoint, so then the stored text is not known.
                rebuilt = built is not None and (row.payload != before or self._renewed)
                if outbox.finish(row, using=using, now=DatabaseNow(), rebuilt=rebuilt):
                    finished.append(row)
        self.rows = finished
        if built is not None:
            self._is_now(built)
        self.unfinished = False

    def renew(self, source: EventSource) -> None:
        """Build again in the open transaction: lines or a total were saved after the event was recorded."""
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
        """Whether the event may be another one after this statement, which writes something."""
        own, others = self.source.tables
        if self.is_saving and _names(own, statement):
            return False
        if others is None and self.built.has_contents:
            return OUR_TABLES not in statement  # only the site's own code knows what it reads
        return _names(own | (others or frozenset()), statement)

    def postpone(self) -> None:
        """More is written of what it is made of: it is not due before the commit has built it again."""
        if not self._is_postponed:
            outbox.postpone([row.pk for row in self.rows], using=self.source.using, now=DatabaseNow())
            self._is_postponed = self.unfinished = True

    def rolled_back(self) -> None:
        """To a savepoint that may lie before the mark."""
        self._is_postponed = False

    def _take_back(self, reason: Reason) -> None:
        """The object has come to say no before its event was finished."""
        using, pks = self.source.using, [row.pk for row in self.rows]
        mine = OutboxEvent.objects.using(using).untried()
        with transaction.atomic(using=using):
            forget(mine if self.commitment.is_open else OutboxEvent.objects.using(using).still_built(pks), pks)
            count_suppressed([row.pixel_code for row in self.rows], self.event.name, reason, using=using)
        self.rows = []
        self.commitment.take_back()

    def _show_what_is_stored(self, pixel_call: PixelCall) -> None:
        """A savepoint may have taken a renewal back; the row knows."""
        rows = OutboxEvent.objects.using(self.source.using).untried().filter(pk=self.rows[0].pk)
        payload = rows.values_list("payload", flat=True).first()
        if payload:
            pixel_call.call = browser_call_of_text(payload)


def wake_workers(rows: list[OutboxEvent], *, using: str) -> None:
    """These are finished: everybody may know."""
    for row in rows:
        event_recorded.send_robust(OutboxEvent, event=row, using=using)
        if row.due_at is not None:
            tasks.wake_worker(row.pixel_code, using)


def fill(row: OutboxEvent, event: Event, notes: list[str]) -> None:
    """What the built event says of itself in its row."""
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


# Kept alive by the connection's own list of commit hooks, and gone with them. Not kept on the objects: those are
# copied, pickled and loaded twice.
Open = WeakValueDictionary[tuple[Conversion, Hashable], Recorded]
_by_connection: WeakKeyDictionary[BaseDatabaseWrapper, Open] = WeakKeyDictionary()

Execute = Callable[[Any, Any, bool, dict[str, Any]], Any]
HEAD = 200  # characters of a statement: what it does, and to which table
READS = ("SELECT", "SAVEPO", "RELEAS", "BEGIN", "EXPLAI", "SET", "SHOW", "FETCH", "DECLAR")


def note(conversion: Conversion, pk: Hashable, recorded: Recorded, *, using: str) -> None:
    """Remember it until the transaction ends."""
    connection = connections[using]
    _by_connection.setdefault(connection, WeakValueDictionary())[conversion, pk] = recorded
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, Watch):
            wrapper.add(recorded)
            return
    Watch(connection).add(recorded)


def find(conversion: Conversion, pk: Hashable, *, using: str) -> Recorded | None:
    """What this object's conversion was recorded as in the open transaction; not if it was undone since."""
    here = _by_connection.get(connections[using])
    recorded = here.get((conversion, pk)) if here else None
    return recorded if recorded is not None and recorded.commitment.is_open else None


class Watch:
    """Looks at the statements that follow an event in its transaction, and at no other's.

    By the statements and not by signals, for those of `bulk_create()`, `QuerySet.update()` and raw SQL count too, and
    a receiver of every `post_delete` would cost the site its fast deletes. It takes itself off the connection with the
    first statement that comes after the transaction.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._recorded: WeakSet[Recorded] = WeakSet()
        self._is_busy = False
        # First, so that it is the outermost: who adds another one for a while takes the last one off.
        connection.execute_wrappers.insert(0, self)

    def add(self, recorded: Recorded) -> None:
        """Watch for this one too."""
        self._recorded.add(recorded)

    def __call__(self, execute: Execute, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not self._is_busy:
            self._is_busy, was_lost = True, self._connection.needs_rollback
            try:
                self._look(sql if isinstance(sql, str) else str(sql))
            except Exception as error:
                if is_lost(self._connection, was_lost=was_lost):
                    raise  # the site must hear of it, see `is_lost`
                report(error, "can't tell whether an event changed before its commit")
            finally:
                self._is_busy = False
        return execute(sql, params, many, context)

    def _look(self, sql: str) -> None:
        """Before the statement: after it, rows that it returns may still be on their way."""
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
