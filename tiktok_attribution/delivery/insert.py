"""The INSERT of an event: a row of its body and a row of its state, in one statement where the database can."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from time import time
from typing import Any

from django.db import IntegrityError, connections
from django.db.models import Field, Model, QuerySet

from tiktok_attribution.delivery.clock import DatabaseNow, sql
from tiktok_attribution.models import EventBody, OutboxEvent, events_named


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
    return OutboxEvent.objects.using(using).filter(events_named(row.pixel_code, row.name, [row.event_id]))


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
    return f"{_head(model, using, names)} VALUES ({_marks(names, using, timed)})"


@lru_cache
def _in_one_statement(using: str, timed: tuple[str, ...]) -> str:
    """Of the event's values none comes where its body did not."""
    own = [str(field.column) for field in columns(OutboxEvent)]
    event = _head(OutboxEvent, using, ["id", *own])
    body = f"{_into(EventBody, using)} ON CONFLICT DO NOTHING RETURNING id"
    return f"WITH body AS ({body}) {event} SELECT id, {_marks(own, using, timed)} FROM body RETURNING id"  # noqa: S608


def _head(model: type[Model], using: str, names: list[str]) -> str:
    quoted = connections[using].ops.quote_name
    return f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(map(quoted, names))})"


def _marks(names: Sequence[str], using: str, timed: tuple[str, ...]) -> str:
    now = sql(connections[using].vendor)
    return ", ".join(now if name in timed else "%s" for name in names)
