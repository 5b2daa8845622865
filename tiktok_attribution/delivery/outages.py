"""Outages: times in which the database refused rows of this app while the site went on taking orders.

A refusal that could not be stored can't be known later, so whoever records an object after the fact asks here first
(`conversions.unknown_consent`). What is kept where:

- The process remembers the outage that it met last, and the refusals that it heard and could not store. It writes both
  down with its next successful write, and tries the outage at once, after the caller's commit.
- The database has a row an outage: a heartbeat whose name is its begin and whose moment is its end. Where INSERT is
  refused and UPDATE is not (a missing right, often a full disk), a spare row that was made beforehand becomes that row.
- Django's cache has it where neither was possible. It may be local to the process, and it may be emptied.
- The log names the begin of each outage, once a process, at level ERROR.

What can't be known: an outage that was met only by processes which were killed before any of these ways worked. Then
there is the log alone. A site's own orders of that time can then only be told apart by a person.
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
from tiktok_attribution.consent.decision import Reason
from tiktok_attribution.delivery.suppressed import refuse_objects
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Heartbeat

logger = logging.getLogger("tiktok_attribution")

JOIN_SECONDS = 600.0
"""A refused row so soon after the last one belongs to the same outage. So a disk that is full now and then is one line
in the log, and a month of it at most some 4,000 rows."""
MARGIN_SECONDS = 300.0
"""Counted to both ends: clocks differ, payment providers date an order earlier, and the end is written down with some
delay (WRITE_SECONDS)."""
WRITE_SECONDS = 30.0
"""Minimum time between two tries of a process to write an outage down while rows are refused."""
LATELY_SECONDS = 60.0
"""How old the stored outages may be that a save of the site's is judged by."""
MOST_OWED = 10_000
"""Refusals that a process remembers; what is more is covered by the outage alone."""

SPARE = "outage-spare"
_PREFIX = "outage:"  # before the begin in epoch seconds


class Outage(NamedTuple):
    """From the first refused row to the last, in epoch seconds."""

    since: float
    until: float

    def __str__(self) -> str:
        return f"{utc(self.since)} to {utc(self.until)}"

    def may_hold(self, first: float, last: float) -> bool:
        """Whether something that happened between these moments may have happened in it."""
        return self.since - MARGIN_SECONDS <= last and first <= self.until + MARGIN_SECONDS


@dataclass(slots=True, kw_only=True)
class _Own:
    """What this process knows of one database. Not locked: two threads at once cost a second line in the log."""

    since: float
    until: float
    written_until: float = 0.0
    tried_at: float = 0.0
    owed: dict[tuple[str, str], Reason] = field(default_factory=dict)  # refusals by label and key of their object

    @property
    def is_written(self) -> bool:
        """But for the last seconds, which the margin covers."""
        return self.until - self.written_until <= WRITE_SECONDS


_own: dict[str, _Own] = {}
_lately: dict[str, tuple[float, list[Outage]]] = {}


@contextmanager
def noticing(using: str, *, refused: Iterable[tuple[str, str]] = (), reason: Reason | None = None) -> Iterator[None]:
    """Around the statements that keep an event or a refusal: notice that the database refuses them.

    Outside of the savepoint that they run in, or their rollback would take along what is to be done after the commit.
    `refused` are objects (label, key) whose person said no: this process writes that down as soon as it can. The error
    is passed on.
    """
    try:
        yield
    except DataError:
        raise  # one value that does not fit; whoever sends it must not be able to begin an outage
    except AnyDatabaseError as error:
        _on_refused(using, error, dict.fromkeys(refused, reason) if reason else {})
        raise
    else:
        kept(using)


def kept(using: str) -> None:
    """A row was written: after its commit, write down what this process still owes."""
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
    """Every outage that is remembered, oldest first. Raises the database's error where it can't be asked."""
    return _joined([*_stored(using), *_cached(using), *_mine(using)])


def known_lately(using: str) -> list[Outage]:
    """The same for a save of the site's: the database is asked once a minute, and the cache is not."""
    now = time()
    read_at, stored = _lately.get(using, (0.0, []))
    if not now - LATELY_SECONDS < read_at <= now:
        stored = _stored(using)
        _lately[using] = now, stored
    return _joined([*stored, *_mine(using)])


def prepare(using: str) -> None:
    """Make the spare row, and forget outages from which no refusal would be known any more. Raises nothing."""
    try:
        beats = Heartbeat.objects.using(using)
        beats.get_or_create(pk=SPARE)
        beats.filter(pk__startswith=_PREFIX, seen_at__lt=_oldest()).delete()
    except AnyDatabaseError as error:
        logger.warning("tiktok: no row could be made to note an outage in (%s)", describe(error))


def utc(moment: float) -> str:
    """A moment for logs and commands: "2026-03-01 12:00 UTC"."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _oldest() -> float:
    """Refusals themselves are known for SNAPSHOT_DAYS, so an outage needs no longer memory."""
    settings = conf.current()
    return time() - max(settings.snapshot_days * 86_400, settings.max_age_seconds)


def _on_refused(using: str, error: Exception, owed: dict[tuple[str, str], Reason]) -> None:
    connection = connections[using]
    if connection.in_atomic_block and connection.needs_rollback:
        return  # the object itself goes with this transaction
    now = time()
    own = _own.get(using)
    is_new = own is None or now - own.until > JOIN_SECONDS
    if own is None or (is_new and own.is_written):
        # One that is not written yet is only made longer: a process remembers one outage, however long it can't write.
        own = _own[using] = _Own(since=now, until=now, owed=own.owed if own else {})
    own.until = max(own.until, now)
    if is_new:
        logger.error(
            "tiktok: since %s database %r refuses rows of this app (%s). Refusals of visitors can't be kept, so orders "
            "of this time are not recorded later, unless you say so: see tiktok_doctor and docs/backfill.md",
            *(utc(now), using, describe(error)),
        )
    if owed:
        _after_commit(using, lambda: _owe(own, owed))  # not of an order that is rolled back: its key may be used again
    if now - own.tried_at >= WRITE_SECONDS:
        _after_commit(using, lambda: _write_down(using))


def _after_commit(using: str, action: Callable[[], None]) -> None:
    """Never inside the caller's transaction: the row is everybody's, so no checkout may keep it locked."""
    with suppress(TransactionManagementError):  # autocommit is switched off by hand, so it stays in memory
        transaction.on_commit(action, using=using, robust=True)


def _owe(own: _Own, owed: dict[tuple[str, str], Reason]) -> None:
    if len(own.owed) + len(owed) <= MOST_OWED:
        own.owed.update(owed)


def _write_down(using: str) -> None:
    """The outage, then the refusals of it. What can't be written now stays in memory."""
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
    """Make a stored outage longer, else add a row, else use the spare row, else make the newest one longer."""
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
    """By an UPDATE, the spare row where there was no outage `before`. False if somebody was quicker."""
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


# The cache is the site's and may fail in every way. Two processes that write at once may lose one of two outages here.
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
    """Sorted, and as one where they touch; without what is too old."""
    found: list[Outage] = []
    for one in sorted(one for one in outages if one.until >= _oldest()):
        if found and one.since <= found[-1].until + JOIN_SECONDS:
            found[-1] = _union(found[-1], one)
        else:
            found.append(one)
    return found
