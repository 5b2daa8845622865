"""Insert events into the outbox, in the caller's own transaction, and rewrite or delete their bodies.

- `add` inserts an event once. An event is two rows: its body (`EventBody`) and its state (`OutboxEvent`).
- `postpone`, `rebuild` and `finish` handle events whose object may still change. Such an event is committed, but it is
  not due: it has `unfinished_since` and no `due_at`, so no worker reads its body.
- `write_body`, `clear_bodies`, `forget` and `sweep` change or delete bodies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from time import time
from typing import Any

from django.db import IntegrityError, OperationalError, connections, router, transaction
from django.db.models import (
    Case,
    DateTimeField,
    DecimalField,
    Exists,
    Field,
    FloatField,
    Model,
    OuterRef,
    QuerySet,
    UUIDField,
    Value,
    When,
)

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import DatabaseNow, sql
from tiktok_attribution.models import MAY_CHANGE, DigestField, EventBody, OutboxEvent, State


def write_body(row: OutboxEvent, key: int, *, using: str) -> None:
    """Rewrite a stored body that has not been sent yet."""
    values = {field.attname: getattr(row, field.attname) for field in columns(EventBody)}
    EventBody.objects.using(using).filter(pk=key).update(**values)


def clear_bodies(pks: Collection[int], *, using: str) -> int:
    """Clear the bodies of these events, and what leads to their person. Return how many."""
    return EventBody.objects.using(using).filter(pk__in=pks).update(payload="", email_key=None, visitor_key=None)


def forget(rows: QuerySet[OutboxEvent], pks: Collection[int]) -> int:
    """Delete those of `rows` that have one of these keys, and their bodies. Return how many."""
    gone = rows.filter(pk__in=pks)
    with transaction.atomic(using=gone.db):
        count = gone._raw_delete(gone.db)  # no constraint points at these rows, so there is nothing to collect
        sweep(pks, using=gone.db)
    return count


def sweep(pks: Collection[int], *, using: str) -> None:
    """Delete those of these bodies whose event no longer exists."""
    bodies = EventBody.objects.using(using).filter(pk__in=pks)
    bodies.exclude(Exists(OutboxEvent.objects.filter(pk=OuterRef("pk"))))._raw_delete(using)


# Decision: an event is two rows, written by one statement on PostgreSQL. `EventBody` holds what is written once,
# `OutboxEvent` what each attempt changes. A database copies a changed row whole and enters the copy into every index of
# its table. So a wide row under five indexes made updating dearer than all other work of a delivery together.
def insert(row: OutboxEvent, using: str) -> bool:
    """Insert body and state, and set the key. Return False if the event exists already.

    Saving the model instead would cost four times as much. PostgreSQL gets ON CONFLICT DO NOTHING, because an error
    would cost a savepoint. On the other databases, IGNORE would also hide every other error, so there the
    IntegrityError is examined.
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
    """Return the stored event with this event's pixel, name and event_id, as a queryset of at most one."""
    return OutboxEvent.objects.using(using).named(row.pixel_code, row.name, [row.event_id])


def mark_stored(row: OutboxEvent, key: int, using: str) -> None:
    """Set the key and the instance state, as Django does after saving."""
    row.id = row.pk = key
    row._state.adding, row._state.db = False, using


@lru_cache
def columns(model: type[Model]) -> list[Field[Any, Any]]:
    """Return the fields of this model's own table, without the primary key."""
    return [field for field in model._meta.local_concrete_fields if not field.primary_key]


def _by_database(row: OutboxEvent) -> tuple[str, ...]:
    """Return the columns that get the database's own time: no web server's clock decides when an event is due."""
    return tuple(name for name in ("due_at", "unfinished_since") if isinstance(getattr(row, name), DatabaseNow))


def _values(row: OutboxEvent, model: type[Model], connection: Any, leave: Collection[str] = ()) -> list[Any]:
    """Return the values of this model's columns, as the ORM would prepare them; a test compares both."""
    read, prepared = _preparing(model, connection.alias, tuple(leave))
    values = list(read(row))
    for place, field in prepared:
        values[place] = field.get_db_prep_save(field.pre_save(row, add=True), connection=connection)
    return values


# Decision: a row of constants instead of a call of three methods for each of 25 columns (200 of an event's calls). The
# recorder sets every column to a value of its field's own Python type, so most need no preparing. Digests are computed
# here; what databases store in different forms (moments, decimals, UUIDs) is prepared everywhere but on PostgreSQL,
# whose driver takes them as they are.
@lru_cache
def _preparing(model: type[Model], using: str, leave: tuple[str, ...]) -> tuple[Any, tuple[tuple[int, Any], ...]]:
    """Return what reads the columns of a row at once, and place and field of those that need preparing."""
    fields = [field for field in columns(model) if field.attname not in leave]
    is_postgresql = connections[using].vendor == "postgresql"
    differing = (DigestField,) if is_postgresql else (DigestField, DateTimeField, DecimalField, UUIDField)
    prepared = [(place, field) for place, field in enumerate(fields) if isinstance(field, differing)]
    return attrgetter(*(field.attname for field in fields)), tuple(prepared)


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
    """Return the INSERT statement of this model, with the columns `first` before its own."""
    names = [*first, *(str(field.column) for field in columns(model))]
    return f"{_head(model, using, names)} VALUES ({_placeholders(names, using, timed)})"


@lru_cache
def _in_one_statement(using: str, timed: tuple[str, ...]) -> str:
    """Return one statement that inserts body and event; it inserts no event if its body exists already."""
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
    """Return the alias of the database for events without an object."""
    return router.db_for_write(OutboxEvent)


def outbox_databases() -> list[str]:
    """Return OUTBOX_DATABASES, or every database in which the site's routers allow the outbox."""
    return list(conf.current().outbox_databases) or _routed(tuple(connections), tuple(router.routers))


@lru_cache
def _routed(aliases: tuple[str, ...], routers: tuple[object, ...]) -> list[str]:
    """Return the databases that these routers allow. Where tables are does not change while a process runs."""
    return [alias for alias in aliases if router.allow_migrate_model(alias, OutboxEvent)]


LANE_SECONDS = 0.25
"""How long new events go into one lane before the next one gets them: as long as WAKEUP_SECONDS by default."""


# Decision: what is recorded within a quarter of a second goes into one lane, and the next quarter's into the next lane.
# So the few events that a worker is woken for are one or two POSTs, and not one for each lane that a hash would have
# scattered them over. A backlog still fills all lanes alike. A wrong clock of a web server changes nothing but which
# lane it is.
def lane_at(now: float, lanes: int) -> int:
    """Return the lane of an event that is recorded now (epoch seconds)."""
    return int(now / LANE_SECONDS) % lanes


# Decision: ids come from objects (`order-42`), under a unique constraint on event_id and event type (pixel and name).
# An insert that meets the constraint does nothing (ON CONFLICT DO NOTHING) and says so by its row count, which
# `bulk_create` would not report. An event that was recorded as invalid is replaced once the mapping has been fixed.
def add(row: OutboxEvent, *, using: str) -> bool:
    """Insert an event once. Return False if the same pixel, event name and event_id are stored already.

    A stored invalid event is replaced by a valid one, because the mapping has been fixed since. The caller opens the
    savepoint that protects its transaction from a failing insert; a second one here would cost two round trips.
    Raises LockConflict if the database stops waiting for another transaction.
    """
    try:
        with transaction.atomic(using=using, savepoint=False):
            return insert(row, using) or _heal(row, using)
    except OperationalError as error:
        if words := _lock_conflict(error):
            raise LockConflict(words, error) from error
        raise


# An INSERT waits for every open transaction that has inserted the same event_id. Until that transaction ends, nobody
# can tell whether the id is taken. Two transactions that wait for each other would never end, so the database aborts
# one of them. PostgreSQL checks after deadlock_timeout (1 s), InnoDB at once. Each database may also limit the wait
# (lock_timeout, innodb_lock_wait_timeout). Locks are not checked beforehand: each checkout would pay a statement.
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
    """The database aborted an INSERT that waited for another transaction, which may have inserted the same event_id."""

    def __init__(self, words: str, error: OperationalError) -> None:
        super().__init__(words)
        self.error = error


def _lock_conflict(error: OperationalError) -> str:
    """Return what the database says happened; "" if the error is not about a lock."""
    cause = error.__cause__
    codes = (*error.args[:1], getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None))  # psycopg 2 has pgcode
    return next((_LOCK_CONFLICTS[code] for code in codes if code in _LOCK_CONFLICTS), "")


def renew_note(row: OutboxEvent, *, using: str) -> None:
    """Replace the note of an invalid event that is stored already."""
    _invalid(_invalid_key(row, using), using).update(note=row.note)


def _heal(row: OutboxEvent, using: str) -> bool:
    if row.state == State.INVALID:
        return False
    key = _invalid_key(row, using)
    if key is None:
        return False
    # Without `created_at`: it grows with the key, and `first_pk_since` finds the events of an hour by that.
    fields = [field for field in columns(OutboxEvent) if field.name != "created_at"]
    if not _invalid(key, using).update(**{field.attname: getattr(row, field.attname) for field in fields}):
        return False
    write_body(row, key, using=using)
    mark_stored(row, key, using)
    return True


def _invalid_key(row: OutboxEvent, using: str) -> int | None:
    return same(row, using).filter(state=State.INVALID).values_list("pk", flat=True).first()


def _invalid(key: int | None, using: str) -> QuerySet[OutboxEvent]:
    """Select an event by key and state, so that of two processes which replace it, only one does."""
    return OutboxEvent.objects.using(using).in_state(State.INVALID).filter(pk__in=[key])


def known_event_ids(pixel_code: str, name: str, event_ids: Iterable[str], *, using: str) -> set[str]:
    """Return those of the ids that are in the outbox, in any state except invalid."""
    rows = OutboxEvent.objects.using(using).named(pixel_code, name, list(event_ids))
    return set(rows.exclude(state=State.INVALID).values_list("event_id", flat=True))


Moment = float | DatabaseNow
"""Epoch seconds, or the database's own time."""

_BUILT = ("event_time", "value", "currency", "note", "match_keys")
"""The fields of an event's state that are computed from its body."""


def due_when_finished(now: Moment) -> Case:
    """Return the `due_at` for an UPDATE of several events: `now`, or NULL for those that are not finished yet."""
    return Case(When(unfinished_since__isnull=True, then=_expression(now)), default=None, output_field=FloatField())


def rebuild(row: OutboxEvent, *, using: str) -> bool:
    """Rewrite an event in the transaction that inserted it, where nobody else sees it. False if it no longer exists."""
    with transaction.atomic(using=using):
        rows = OutboxEvent.objects.using(using).untried().filter(pk=row.pk)
        changed = rows.update(**{name: getattr(row, name) for name in _BUILT})
        if changed:
            write_body(row, row.pk, using=using)
    return bool(changed)


def postpone(pks: Collection[int], *, using: str, now: Moment) -> None:
    """Make events wait until they are finished, because their object is being changed.

    For the transaction that inserted them.
    """
    rows = OutboxEvent.objects.using(using).untried().with_keys(pks).in_state(*MAY_CHANGE)
    rows.update(unfinished_since=now, due_at=None)


# Decision: an event is not due before it is finished. A worker reads due events only, and an unfinished one has no
# `due_at`. So nobody has read its body, and it may be written again. The UPDATE that makes it due checks exactly that,
# and the body is written in its transaction. So a body that was taken for sending never changes, and no clock decides.
def finish(row: OutboxEvent, *, using: str, now: Moment, rebuilt: bool) -> bool:
    """Make an event due, and store its new body if it was `rebuilt`. Return False if another process was faster.

    The event's state is locked before its body, the order in which every writer locks them.
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
    """Return the events that their process left unfinished before then, oldest first, with their bodies.

    An event that was cancelled or erased since only loses its `unfinished_since`.
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
        lost.update(unfinished_since=None, due_at=before)  # its body is gone: the worker lets it expire with a note
        settled.update(unfinished_since=None)
    return found
