"""The outbox: how a row gets in, in the caller's own transaction."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, connections, router, transaction
from django.db.models import AutoField, Field, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery

from tiktok_attribution import conf
from tiktok_attribution.models import OutboxEvent, State


def write_database() -> str:
    """Where rows go that tell of no object."""
    return router.db_for_write(OutboxEvent)


def outbox_databases() -> list[str]:
    """The setting DATABASES, or every database that may hold an outbox, as the site's routers say."""
    return list(conf.current().databases) or [
        alias for alias in connections if router.allow_migrate_model(alias, OutboxEvent)
    ]


def lane_of(event_id: str, lanes: int) -> int:
    """Spreads events over the lanes; the same event always falls into the same."""
    return zlib.crc32(event_id.encode()) % lanes


def add(row: OutboxEvent, *, using: str) -> bool:
    """Insert a row once. False if the same pixel, event and event_id stand there already.

    A row that was recorded as invalid is replaced by a valid one: the mapping has been mended since. The caller opens
    the savepoint that keeps a failing insert from the transaction around it; one more here costs two round trips.
    """
    with transaction.atomic(using=using, savepoint=False):
        return _insert(row, using) or _heal(row, using)


@lru_cache(maxsize=1)
def _columns() -> list[Field[Any, Any]]:
    return [field for field in OutboxEvent._meta.concrete_fields if not isinstance(field, AutoField)]


@lru_cache
def _insert_sql(using: str) -> str:
    """The same for every row, so it is written once a database."""
    postgres = connections[using].vendor == "postgresql"
    query = InsertQuery(OutboxEvent, on_conflict=OnConflict.IGNORE if postgres else None)
    query.insert_values(_columns(), [OutboxEvent()])
    compiler = query.get_compiler(using=using)
    compiler.returning_fields = [OutboxEvent._meta.pk] if postgres else []
    return str(compiler.as_sql()[0][0])


def _insert(row: OutboxEvent, using: str) -> bool:
    """One plain INSERT, and whether it did; sets the key. What saving a model does besides costs four times as much.

    PostgreSQL is asked to do nothing on a conflict, since an error would cost a savepoint. The others' IGNORE would
    swallow every other mistake with it, so there the error is looked at.
    """
    connection = connections[using]
    postgres = connection.vendor == "postgresql"
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection=connection) for field in _columns()]
    with connection.cursor() as cursor:
        try:
            cursor.execute(_insert_sql(using), values)
        except IntegrityError:
            if _same(row, using).exists():
                return False
            raise
        found = cursor.fetchone() if postgres else (cursor.lastrowid,)
    if found is None:
        return False
    row.pk, row._state.adding, row._state.db = found[0], False, using
    return True


def _same(row: OutboxEvent, using: str) -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.using(using).filter(pixel_code=row.pixel_code, name=row.name, event_id=row.event_id)


def _heal(row: OutboxEvent, using: str) -> bool:
    if row.state == State.INVALID:
        return False
    # Not `created_at`: it grows with the key, and `since` finds the rows of an hour by that.
    values = {field.attname: getattr(row, field.attname) for field in _columns() if field.name != "created_at"}
    if not _same(row, using).filter(state=State.INVALID).update(**values):
        return False
    row.pk, row._state.adding, row._state.db = _same(row, using).values_list("pk", flat=True).get(), False, using
    return True


def known_event_ids(pixel_code: str, name: str, event_ids: Iterable[str], *, using: str) -> set[str]:
    """Those of the ids that are in the outbox, in any state but invalid."""
    rows = OutboxEvent.objects.using(using).filter(pixel_code=pixel_code, name=name, event_id__in=list(event_ids))
    return set(rows.exclude(state=State.INVALID).values_list("event_id", flat=True))
