"""Keeps the tables small: payloads are cleared, then rows pruned, by age and in small batches."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import QuerySet

from tiktok_attribution import conf
from tiktok_attribution.delivery.consent_hold import drop_overdue
from tiktok_attribution.delivery.outbox import clear_bodies, forget, outbox_databases, sweep
from tiktok_attribution.delivery.search import SLACK_SECONDS, first_pk_since
from tiktok_attribution.delivery.suppressed import IS_DENIED, lasting_refusals
from tiktok_attribution.models import (
    Attempt,
    BulkJob,
    EventBody,
    HourlyStatistics,
    OutboxEvent,
    SuppressedCount,
    VisitorSnapshot,
    moment,
)

logger = logging.getLogger("tiktok_attribution")

PAGE_ROWS = 1000


def prune_all(*, now: float | None = None, most: int = 50_000) -> Counter[str]:
    """Clear and prune in every database, at most `most` rows of a kind; run again for more."""
    counts: Counter[str] = Counter()
    for using in outbox_databases():
        try:
            counts.update(prune(using, now=time.time() if now is None else now, most=most))
        except AnyDatabaseError:
            logger.exception("tiktok: the tables in database %r could not be pruned", using)
            counts["failed"] += 1
    return counts


def has_more(done: Counter[str], most: int) -> bool:
    """Whether a round of at most so many rows of a kind may have left some."""
    return any(count >= most for type_key, count in done.items() if type_key != "failed")


def drop_unanswered(*, now: float | None = None) -> None:
    """Drop what awaits consent longer than AWAITING_CONSENT_HOURS; every sweep does, so that it is kept in minutes."""
    if not conf.current().asks:
        return  # what is left from before is the daily pruning's
    for using in outbox_databases():
        try:
            drop_overdue(using, now=time.time() if now is None else now)
        except AnyDatabaseError:
            logger.exception("tiktok: what nobody answered for in database %r could not be dropped", using)


def prune(using: str, *, now: float, most: int = 50_000) -> Counter[str]:
    """Clear payloads and delete rows that are past their time. What still waits to be sent is never touched."""
    settings = conf.current()
    past = moment(now - settings.keep_event_days * 86_400)
    unread = moment(now - settings.keep_payload_days * 86_400)
    settled = OutboxEvent.objects.using(using).settled()
    old = settled.filter(pk__lt=_end(using, past), created_at__lt=past)
    bodies = EventBody.objects.using(using).exclude(payload="").filter(pk__lt=_end(using, unread))
    attempts = Attempt.objects.using(using).filter(started_at__lt=past)
    hours = HourlyStatistics.objects.using(using).filter(hour__lt=now - settings.keep_event_days * 86_400)
    left = VisitorSnapshot.objects.using(using).filter(created_at__lt=moment(now - settings.snapshot_days * 86_400))
    if lasting_refusals:
        left = left.exclude(object_label__in=lasting_refusals, signals__contains=IS_DENIED)
    jobs = BulkJob.objects.using(using).filter(created_at__lt=past)
    counts = SuppressedCount.objects.using(using).filter(day__lt=past.date())
    return Counter(
        payloads=_in_pages(bodies, most, partial(_clear, settled.filter(created_at__lt=unread))),
        events=_in_pages(old, most, forget),
        attempts=_in_pages(attempts, most, _delete),
        hours=_in_pages(hours, most, _delete),
        snapshots=_in_pages(left, most, _delete),
        unanswered=drop_overdue(using, now=now, most=most),
        jobs=_in_pages(jobs, most, _delete),
        counts=_in_pages(counts, most, _delete),
    )


def _end(using: str, before: datetime) -> int:
    """One above the last key that may have been recorded before that moment."""
    return first_pk_since(before + timedelta(seconds=SLACK_SECONDS), using=using)


def _clear(settled: QuerySet[OutboxEvent], bodies: QuerySet[Any], pks: list[Any]) -> int:
    """Bodies are found without their events, by an index of those that are there, however many were cleared."""
    with transaction.atomic(using=bodies.db):
        # Locked, so that nobody sends one on its way before its body has gone.
        still = list(settled.filter(pk__in=pks).order_by("pk").select_for_update().values_list("pk", flat=True))
        cleared = clear_bodies(still, using=bodies.db)
    # Events may have been deleted by hand. After the commit, as nobody's locks are to be waited for with these held.
    sweep(set(pks).difference(still), using=bodies.db)
    return cleared


def _delete(rows: QuerySet[Any], pks: list[Any]) -> int:
    return rows.filter(pk__in=pks)._raw_delete(rows.db)  # no constraint points at them, so there is nothing to collect


def _in_pages(rows: QuerySet[Any], most: int, act: Callable[[QuerySet[Any], list[Any]], int]) -> int:
    """Apply `act` to the rows, STRETCH keys at a time in their order, so that no statement holds many locks.

    `act` gets the rows' own condition to ask it again: what somebody has sent on its way meanwhile is left alone.
    """
    done, beyond = 0, rows
    while done < most:
        pks = list(beyond.order_by("pk").values_list("pk", flat=True)[: min(PAGE_ROWS, most - done)])
        if not pks:
            break
        done += act(rows, pks)
        beyond = rows.filter(pk__gt=pks[-1])
    return done
