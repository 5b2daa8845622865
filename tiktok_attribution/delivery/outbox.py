"""The bodies of events after their INSERT: written anew, cleared, or deleted with their events.

The INSERT of an event: a row of its body and a row of its state, in one statement where the database can.

The outbox: how a row gets in, in the caller's own transaction.

Events whose object may still change: committed, and not due before they are finished.

A worker reads rows that are due. An unfinished one has no `due_at`, so nobody has read its body and it may be written
again. The UPDATE that makes it due asks for exactly that, and the body is written in its transaction: what has been
taken for sending is never changed, and no clock is asked.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from time import time
from typing import Any

from django.db import IntegrityError, OperationalError, connections, router, transaction
from django.db.models import Case, Exists, Field, FloatField, Model, OuterRef, QuerySet, Value, When

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import DatabaseNow, sql
from tiktok_attribution.models import MAY_CHANGE, EventBody, OutboxEvent, State


def write_body(row: OutboxEvent, key: int, *, using: str) -> None:
    """The body again, where nothing was sent of it yet."""
    values = {field.attname: getattr(row, field.attname) for field in columns(EventBody)}
    EventBody.objects.using(using).filter(pk=key).update(**values)


def clear_bodies(pks: Collection[int], *, using: str) -> int:
    """Nothing is left of what was sent, nor is the event found by an e-mail address. How many that were."""
    return EventBody.objects.using(using).filter(pk__in=pks).update(payload="", email_key=None)


def forget(rows: QuerySet[OutboxEvent], pks: Collection[int]) -> int:
    """Delete those of `rows` that have one of these keys, and their bodies. How many that were."""
    gone = rows.filter(pk__in=pks)
    with transaction.atomic(using=gone.db):
        count = gone._raw_delete(gone.db)  # no constraint points at them, so there is nothing to collect
        sweep(pks, using=gone.db)
    return count


def sweep(pks: Collection[int], *, using: str) -> None:
    """Delete those of these bodies that no event is left of."""
    bodies = EventBody.objects.using(using).filter(pk__in=pks)
    bodies.exclude(Exists(OutboxEvent.objects.filter(pk=OuterRef("pk"))))._raw_delete(using)


def insert(row: OutboxEvent, using: str) -> bool:
    """Write both, and say whether they are new; sets the key. Saving the model would cost four times as much.

    PostgreSQL is asked to do nothing on a conflict, since an error would cost a savepoint. The others' IGNORE would
    swallow every other mistake with it, so there the error is looked at.
    """
    connection = connections[using]
    timed = _by_database(row)
    if timed and not sql(connection.vendor):
        for name in timed:
            setattr(row, name, time())
        timed = ()
    body, event = _values(row, EventBody, connection), _values(row, OutboxEvent, connection, timed)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_in_one_statement(using, timed), [*body, *event])
            found = cursor.fetchone()
            key = None if found is None else int(found[0])
        else:
            key = _insert_body(cursor, body, row, using)
            if key is not None:
                cursor.execute(_into(OutboxEvent, using, ("id",), timed), [key, *event])
    if key is None:
        return False
    mark_stored(row, key, using)
    return True


def same(row: OutboxEvent, using: str) -> QuerySet[OutboxEvent]:
    """The event that stands where this one would."""
    return OutboxEvent.objects.using(using).named(row.pixel_code, row.name, [row.event_id])


def mark_stored(row: OutboxEvent, key: int, using: str) -> None:
    """As Django does with what it has saved."""
    row.id = row.pk = key
    row._state.adding, row._state.db = False, using


@lru_cache
def columns(model: type[Model]) -> list[Field[Any, Any]]:
    """What stands in the table of this model itself, but its key."""
    return [field for field in model._meta.local_concrete_fields if not field.primary_key]


def _by_database(row: OutboxEvent) -> tuple[str, ...]:
    """The columns that are to hold the database's own time: no web server's clock says when an event is due."""
    return tuple(name for name in ("due_at", "unfinished_since") if isinstance(getattr(row, name), DatabaseNow))


def _values(row: OutboxEvent, model: type[Model], connection: Any, leave: Collection[str] = ()) -> list[Any]:
    return [
        field.get_db_prep_save(field.pre_save(row, add=True), connection=connection)
        for field in columns(model)
        if field.attname not in leave
    ]


def _insert_body(cursor: Any, values: list[Any], row: OutboxEvent, using: str) -> int | None:
    try:
        cursor.execute(_into(EventBody, using), values)
    except IntegrityError:
        if same(row, using).exists():
            return None
        raise
    return int(cursor.lastrowid)


@lru_cache
def _into(model: type[Model], using: str, first: tuple[str, ...] = (), timed: tuple[str, ...] = ()) -> str:
    """The statement for a row of this model, with these columns before its own; the same for every row."""
    names = [*first, *(str(field.column) for field in columns(model))]
    return f"{_head(model, using, names)} VALUES ({_placeholders(names, using, timed)})"


@lru_cache
def _in_one_statement(using: str, timed: tuple[str, ...]) -> str:
    """Of the event's values none comes where its body did not."""
    own = [str(field.column) for field in columns(OutboxEvent)]
    event = _head(OutboxEvent, using, ["id", *own])
    body = f"{_into(EventBody, using)} ON CONFLICT DO NOTHING RETURNING id"
    return f"WITH body AS ({body}) {event} SELECT id, {_placeholders(own, using, timed)} FROM body RETURNING id"  # noqa: S608


def _head(model: type[Model], using: str, names: list[str]) -> str:
    quoted = connections[using].ops.quote_name
    return f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(map(quoted, names))})"


def _placeholders(names: Sequence[str], using: str, timed: tuple[str, ...]) -> str:
    now = sql(connections[using].vendor)
    return ", ".join(now if name in timed else "%s" for name in names)


def write_database() -> str:
    """Where rows go that tell of no object."""
    return router.db_for_write(OutboxEvent)


def outbox_databases() -> list[str]:
    """The setting OUTBOX_DATABASES, or every database that may hold an outbox, as the site's routers say."""
    return list(conf.current().outbox_databases) or [
        alias for alias in connections if router.allow_migrate_model(alias, OutboxEvent)
    ]


def lane_of(event_id: str, lanes: int) -> int:
    """Spreads events over the lanes; the same event always falls into the same."""
    return zlib.crc32(event_id.encode()) % lanes


def add(row: OutboxEvent, *, using: str) -> bool:
    """Insert a row once. False if the same pixel, event and event_id stand there already.

    A row that was recorded as invalid is replaced by a valid one: the mapping has been fixed since. The caller opens
    the savepoint that keeps a failing insert from the transaction around it; one more here costs two round trips.
    Raises LockConflict where the database gives up waiting for another transaction.
    """
    try:
        with transaction.atomic(using=using, savepoint=False):
            return insert(row, using) or _heal(row, using)
    except OperationalError as error:
        if words := _lock_conflict(error):
            raise LockConflict(words, error) from error
        raise


# An INSERT waits for every open transaction that has inserted the same event id, until that one ends: before, nobody
# can tell whether the id is taken. Two that wait for each other never end, so the database breaks one of them off
# (PostgreSQL looks after deadlock_timeout, 1 s; InnoDB at once), and each may have a longest wait (lock_timeout,
# innodb_lock_wait_timeout). Not asked beforehand whether a lock is there: that costs every checkout a statement.
_LOCK_CONFLICTS: dict[object, str] = {  # SQLSTATE of PostgreSQL, error number of MySQL and MariaDB
    "40P01": "it and another transaction waited for each other (deadlock)",
    1213: "it and another transaction waited for each other (deadlock)",
    "40001": "another transaction has changed the same rows meanwhile (serialization failure)",
    1020: "another transaction has changed the same rows meanwhile",
    "55P03": "another transaction held a lock for longer than lock_timeout",
    "57014": "another transaction held a lock for longer than statement_timeout",
    1205: "another transaction held a lock for longer than innodb_lock_wait_timeout",
    1969: "another transaction held a lock for longer than max_statement_time",
}


class LockConflict(Exception):
    """The database has broken off an INSERT that waited for another transaction, which may hold the same event id."""

    def __init__(self, words: str, error: OperationalError) -> None:
        super().__init__(words)
        self.error = error


def _lock_conflict(error: OperationalError) -> str:
    """What the database says happened, "" where it is about no lock."""
    cause = error.__cause__
    codes = (*error.args[:1], getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None))  # psycopg 2 has pgcode
    return next((_LOCK_CONFLICTS[code] for code in codes if code in _LOCK_CONFLICTS), "")


def renew_note(row: OutboxEvent, *, using: str) -> None:
    """The note of an invalid row that stands there already."""
    _invalid(_invalid_key(row, using), using).update(note=row.note)


def _heal(row: OutboxEvent, using: str) -> bool:
    if row.state == State.INVALID:
        return False
    key = _invalid_key(row, using)
    if key is None:
        return False
    # Not `created_at`: it grows with the key, and `since` finds the rows of an hour by that.
    fields = [field for field in columns(OutboxEvent) if field.name != "created_at"]
    if not _invalid(key, using).update(**{field.attname: getattr(row, field.attname) for field in fields}):
        return False
    write_body(row, key, using=using)
    mark_stored(row, key, using)
    return True


def _invalid_key(row: OutboxEvent, using: str) -> int | None:
    return same(row, using).filter(state=State.INVALID).values_list("pk", flat=True).first()


def _invalid(key: int | None, using: str) -> QuerySet[OutboxEvent]:
    """By its key alone: the state is asked in the statement that changes it, so of two who do it one has done it."""
    return OutboxEvent.objects.using(using).in_state(State.INVALID).filter(pk__in=[key])


def known_event_ids(pixel_code: str, name: str, event_ids: Iterable[str], *, using: str) -> set[str]:
    """Those of the ids that are in the outbox, in any state but invalid."""
    rows = OutboxEvent.objects.using(using).named(pixel_code, name, list(event_ids))
    return set(rows.exclude(state=State.INVALID).values_list("event_id", flat=True))


Moment = float | DatabaseNow
"""Epoch seconds, or the database's own time."""

_BUILT = ("event_time", "value", "currency", "note", "match_keys")
"""What a body says of itself in its event's row."""


def due_when_finished(now: Moment) -> Case:
    """For who makes events due: those that are unfinished wait for that."""
    return Case(When(unfinished_since__isnull=True, then=_expression(now)), default=None, output_field=FloatField())


def rebuild(row: OutboxEvent, *, using: str) -> bool:
    """Write a row anew in the transaction that inserted it, in which nobody else sees it. False if it is gone."""
    with transaction.atomic(using=using):
        rows = OutboxEvent.objects.using(using).untried().filter(pk=row.pk)
        changed = rows.update(**{name: getattr(row, name) for name in _BUILT})
        if changed:
            write_body(row, row.pk, using=using)
    return bool(changed)


def postpone(pks: Collection[int], *, using: str, now: Moment) -> None:
    """In the transaction that inserted them: their object is being changed, so they wait until they are finished."""
    rows = OutboxEvent.objects.using(using).untried().with_keys(pks).in_state(*MAY_CHANGE)
    rows.update(unfinished_since=now, due_at=None)


def finish(row: OutboxEvent, *, using: str, now: Moment, rebuilt: bool) -> bool:
    """Make it due, with what the row holds now where it was `rebuilt`. False if another process was quicker.

    The event before its body, as everybody locks them.
    """
    built = {name: getattr(row, name) for name in _BUILT} if rebuilt else {}
    due_at = Case(When(state=State.WAITING, then=_expression(now)), default=None, output_field=FloatField())
    with transaction.atomic(using=using, savepoint=False):  # the caller's block is rolled back as a whole
        if (
            not OutboxEvent.objects.using(using)
            .still_built([row.pk])
            .update(unfinished_since=None, due_at=due_at, **built)
        ):
            return False
        if rebuilt:
            write_body(row, row.pk, using=using)
    row.unfinished_since, row.due_at = None, now if row.state == State.WAITING else None
    return True


def _expression(now: Moment) -> DatabaseNow | Value:
    return now if isinstance(now, DatabaseNow) else Value(now)


def left_behind(*, using: str, before: float, most: int) -> list[OutboxEvent]:
    """Those whose process has not finished them by then, the oldest first, with their bodies.

    What was cancelled or erased meanwhile only loses the mark.
    """
    marked = OutboxEvent.objects.using(using).unfinished_before(before)
    pks = list(marked.order_by("unfinished_since").values_list("pk", flat=True)[:most])
    if not pks:
        return []
    found = list(OutboxEvent.objects.using(using).still_built(pks).exclude(payload="").order_by("pk"))
    others = set(pks).difference(row.pk for row in found)
    if others:
        settled = OutboxEvent.objects.using(using).with_keys(others)
        lost = settled.settled().in_state(State.WAITING)
        lost.update(unfinished_since=None, due_at=before)  # its body is gone: the worker lets it expire and says why
        settled.update(unfinished_since=None)
    return found
