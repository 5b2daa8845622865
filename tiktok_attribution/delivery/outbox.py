"""The outbox: how a row gets in, in the caller's own transaction."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from django.db import OperationalError, connections, router, transaction
from django.db.models import QuerySet

from tiktok_attribution import conf
from tiktok_attribution.delivery.bodies import write_body
from tiktok_attribution.delivery.insert import columns, insert, mark_stored, same
from tiktok_attribution.models import OutboxEvent, State, events_named


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
    return OutboxEvent.objects.using(using).filter(pk__in=[key], state=State.INVALID)


def known_event_ids(pixel_code: str, name: str, event_ids: Iterable[str], *, using: str) -> set[str]:
    """Those of the ids that are in the outbox, in any state but invalid."""
    rows = OutboxEvent.objects.using(using).filter(events_named(pixel_code, name, list(event_ids)))
    return set(rows.exclude(state=State.INVALID).values_list("event_id", flat=True))
