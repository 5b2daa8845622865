"""Record outages: times in which the database refused this app's rows while the site went on taking orders.

A refusal that could not be stored can't be known later. So code that records an object afterwards asks here first
(`conversions.unknown_consent`). An outage is kept in the first of these places that works:

- The process remembers its latest outage and the refusals that it could not store. It writes both with its next
  successful write. It also tries to write the outage at once, after the caller's commit.
- The database has one row for each outage: a heartbeat whose name is the begin and whose moment is the end. The
  database may refuse INSERT and accept UPDATE (a missing right, often a full disk). Then a spare row, made beforehand,
  becomes that row.
- Django's cache has it where neither was possible. It may be local to the process, and it may be emptied.
- The log names the begin of each outage, once for each process, at level ERROR.

One case can't be known: only processes that were killed before any of these ways worked met the outage. Then only the
log has it, and a person must find the orders of that time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from time import time
from typing import NamedTuple

from django.core.cache import cache
from django.db import DataError, connections, transaction
from django.db import Error as AnyDatabaseError
from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.db.transaction import TransactionManagementError

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Reason
from tiktok_attribution.delivery.suppressed import refuse_objects
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Heartbeat

logger = logging.getLogger("tiktok_attribution")

JOIN_SECONDS = 600.0
"""A row refused this soon after the last one belongs to the same outage. So a disk that is full now and then gives one
line in the log, and at most some 4,000 rows a month."""
MARGIN_SECONDS = 300.0
"""Added to both ends of an outage: clocks differ, payment providers date an order earlier, and the end is written with
some delay (WRITE_SECONDS)."""
WRITE_SECONDS = 30.0
"""Minimum seconds between two tries of a process to store an outage while rows are refused."""
LATELY_SECONDS = 60.0
"""Maximum age of the stored outages that a save of the site's is checked against."""
MOST_OWED = 10_000
"""Refusals that a process remembers at most. The others are covered by the outage alone."""

SPARE = "outage-spare"
_PREFIX = "outage:"  # of a heartbeat's name; the begin in epoch seconds follows


class Outage(NamedTuple):
    """An outage, from the first refused row to the last, in epoch seconds."""

    since: float
    until: float

    def __str__(self) -> str:
        return f"{utc(self.since)} to {utc(self.until)}"

    def may_hold(self, first: float, last: float) -> bool:
        """Return True if something that happened between these moments may have happened during the outage."""
        return self.since - MARGIN_SECONDS <= last and first <= self.until + MARGIN_SECONDS


@dataclass(slots=True, kw_only=True)
class _Own:
    """What this process knows of one database's outage. Not locked: a race costs a second line in the log."""

    since: float
    until: float
    written_until: float = 0.0
    tried_at: float = 0.0
    owed: dict[tuple[str, str], Reason] = field(default_factory=dict)  # refusals by label and key of their object

    @property
    def is_written(self) -> bool:
        """Whether the outage is stored, except for its last seconds, which the margin covers."""
        return self.until - self.written_until <= WRITE_SECONDS


_own: dict[str, _Own] = {}
_lately: dict[str, tuple[float, list[Outage]]] = {}


# Decision: record a time without refusals, and not each order of it. Where no row can be stored, a row for each order
# can't be either. A failed event begins such a time as well as a failed refusal does. The processes that met the
# failed event may be the only ones that are left to report it. A data error does not begin one, because a visitor
# could cause it by what they send.
@contextmanager
def noticing(using: str, *, refused: Iterable[tuple[str, str]] = (), reason: Reason | None = None) -> Iterator[None]:
    """Notice that the database refuses the statements of this block, which keep an event or a refusal.

    Use it outside of the savepoint that the statements run in: the savepoint's rollback would discard the actions for
    after the commit. `refused` are objects (label, key) whose person said no; this process stores these refusals as
    soon as it can. The error is passed on.
    """
    try:
        yield
    except DataError:
        raise  # one value does not fit; a visitor who sends it must not be able to begin an outage
    except AnyDatabaseError as error:
        _on_refused(using, error, dict.fromkeys(refused, reason) if reason else {})
        raise
    else:
        kept(using)


def kept(using: str) -> None:
    """Note that a row was written: after its commit, store what this process could not store before."""
    own = _own.get(using)
    if own is None:
        return
    if not own.is_written or own.owed:
        _after_commit(using, lambda: _write_down(using))
    elif time() - own.until > JOIN_SECONDS:
        _own.pop(using, None)
        logger.warning(
            "tiktok: database %r takes rows again; it refused some from %s", using, Outage(own.since, own.until)
        )


def known(using: str) -> list[Outage]:
    """Return every remembered outage, oldest first. Raises the database's error if it can't be read."""
    return _joined([*_stored(using), *_cached(using), *_mine(using)])


def known_lately(using: str) -> list[Outage]:
    """Return the outages for a save of the site's. It reads the database once a minute, and never the cache."""
    now = time()
    read_at, stored = _lately.get(using, (0.0, []))
    if not now - LATELY_SECONDS < read_at <= now:
        stored = _stored(using)
        _lately[using] = now, stored
    return _joined([*stored, *_mine(using)])


def prepare(using: str) -> None:
    """Make the spare row, and delete outages that are older than any refusal is kept. Raises nothing."""
    try:
        beats = Heartbeat.objects.using(using)
        beats.get_or_create(pk=SPARE)
        beats.filter(pk__startswith=_PREFIX, seen_at__lt=_oldest()).delete()
    except AnyDatabaseError as error:
        logger.warning("tiktok: no row could be made to note an outage in (%s)", describe(error))


def utc(moment: float) -> str:
    """Format epoch seconds for logs and commands: "2026-03-01 12:00 UTC"."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _oldest() -> float:
    """Return the oldest moment of interest. Refusals are kept for SNAPSHOT_DAYS, so outages need no longer memory."""
    settings = conf.current()
    return time() - max(settings.snapshot_days * 86_400, settings.max_age_seconds)


def _on_refused(using: str, error: Exception, owed: dict[tuple[str, str], Reason]) -> None:
    connection = connections[using]
    if connection.in_atomic_block and connection.needs_rollback:
        return  # the object itself is rolled back with this transaction
    now = time()
    own = _own.get(using)
    is_new = own is None or now - own.until > JOIN_SECONDS
    if own is None or (is_new and own.is_written):
        # An outage that is not stored yet is only extended: a process remembers one, however long it can't write.
        own = _own[using] = _Own(since=now, until=now, owed=own.owed if own else {})
    own.until = max(own.until, now)
    if is_new:
        logger.error(
            "tiktok: since %s database %r refuses rows of this app (%s). Refusals of visitors can't be kept, so orders "
            "of this time are not recorded later, unless you say so: see tiktok_doctor and docs/backfill.md",
            *(utc(now), using, describe(error)),
        )
    if owed:
        _after_commit(using, lambda: _owe(own, owed))  # after it, as the key of a rolled back order may be used again
    if now - own.tried_at >= WRITE_SECONDS:
        _after_commit(using, lambda: _write_down(using))


def _after_commit(using: str, action: Callable[[], None]) -> None:
    """Run `action` after the caller's commit: many processes share the row, so no checkout may keep it locked."""
    with suppress(TransactionManagementError):  # autocommit was switched off by hand: it stays in memory
        transaction.on_commit(action, using=using, robust=True)


def _owe(own: _Own, owed: dict[tuple[str, str], Reason]) -> None:
    if len(own.owed) + len(owed) <= MOST_OWED:
        own.owed.update(owed)


def _write_down(using: str) -> None:
    """Store the outage, then its refusals. What can't be stored now stays in memory."""
    own = _own.get(using)
    if own is None:
        return
    own.tried_at = time()
    mine = Outage(own.since, own.until)
    try:
        if not own.is_written and _store(mine, using):
            own.written_until = mine.until
        for reason in set(own.owed.values()):
            objects = [one for one, its in own.owed.items() if its is reason]
            refuse_objects(objects, reason, using=using)
            for one in objects:
                own.owed.pop(one, None)
    except AnyDatabaseError as error:
        logger.debug("tiktok: an outage stays in memory (%s)", describe(error))
    if not own.is_written:
        _cache(mine, using)


def _store(mine: Outage, using: str) -> bool:
    """Extend a stored outage, else add a row, else use the spare row, else extend the newest stored one."""
    stored = sorted(_stored(using))
    near = [one for one in stored if one.since - MARGIN_SECONDS <= mine.since <= one.until + JOIN_SECONDS]
    if near:
        return _become(_union(near[-1], mine), near[-1], using)
    try:
        Heartbeat.objects.using(using).create(pk=_name(mine), seen_at=mine.until)
    except AnyDatabaseError:
        if _become(mine, None, using):
            return True
        return bool(stored) and _become(_union(stored[-1], mine), stored[-1], using)
    return True


def _become(outage: Outage, before: Outage | None, using: str) -> bool:
    """Update the row of `before`, or the spare row if it is None. Return False if another process was faster."""
    rows = Heartbeat.objects.using(using).filter(pk=SPARE if before is None else _name(before))
    return bool(rows.update(name=_name(outage), seen_at=Greatest(F("seen_at"), Value(outage.until))))


def _name(outage: Outage) -> str:
    return f"{_PREFIX}{int(outage.since)}"


def _union(one: Outage, other: Outage) -> Outage:
    return Outage(min(one.since, other.since), max(one.until, other.until))


def _stored(using: str) -> list[Outage]:
    rows = Heartbeat.objects.using(using).filter(pk__startswith=_PREFIX, seen_at__gte=_oldest())
    return [Outage(float(name.removeprefix(_PREFIX)), until) for name, until in rows.values_list("pk", "seen_at")]


def _mine(using: str) -> list[Outage]:
    own = _own.get(using)
    return [] if own is None else [Outage(own.since, own.until)]


# The cache is the site's and may fail in any way. Two processes that write at once may lose one of two outages here.
def _cache(mine: Outage, using: str) -> None:
    try:
        cache.set(_key(using), [tuple(one) for one in _joined([*_cached(using), mine])], time() - _oldest())
    except Exception as error:  # noqa: BLE001 -- as above
        logger.debug("tiktok: an outage is in no cache (%s)", describe(error))


def _cached(using: str) -> list[Outage]:
    try:
        return [Outage(*one) for one in cache.get(_key(using)) or ()]
    except Exception as error:  # noqa: BLE001 -- as above
        logger.debug("tiktok: the cache could not be asked for outages (%s)", describe(error))
        return []


def _key(using: str) -> str:
    return f"tiktok_attribution.outages.{using}"


def _joined(outages: Sequence[Outage]) -> list[Outage]:
    """Sort outages, join those that touch, and leave out those that are too old."""
    found: list[Outage] = []
    for one in sorted(one for one in outages if one.until >= _oldest()):
        if found and one.since <= found[-1].until + JOIN_SECONDS:
            found[-1] = _union(found[-1], one)
        else:
            found.append(one)
    return found
