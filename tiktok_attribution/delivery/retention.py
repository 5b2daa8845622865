"""Keep the tables small: clear the bodies of old events, then delete old rows, in small batches.

The ages are settings: KEEP_PAYLOAD_DAYS, KEEP_EVENT_DAYS, SNAPSHOT_DAYS, AWAITING_CONSENT_HOURS, KEEP_TOUCH_DAYS and
KEEP_ATTRIBUTION_DAYS.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import Error as AnyDatabaseError
from django.db import router, transaction
from django.db.models import QuerySet

from tiktok_attribution import conf
from tiktok_attribution.delivery.consent_hold import drop_overdue
from tiktok_attribution.delivery.event_search import SLACK_SECONDS, first_pk_since
from tiktok_attribution.delivery.outbox import clear_bodies, forget, outbox_databases, sweep
from tiktok_attribution.delivery.suppressed import IS_DENIED, lasting_refusals
from tiktok_attribution.models import (
    Attempt,
    BulkJob,
    ChangedObject,
    ConversionPerson,
    ConversionTouch,
    EventBody,
    HourlyStatistics,
    LandingCount,
    OutboxEvent,
    RecordedConversion,
    SuppressedCount,
    Touch,
    VisitorLink,
    VisitorSnapshot,
    moment,
)

logger = logging.getLogger("tiktok_attribution")

PAGE_ROWS = 1000


def prune_all(*, now: float | None = None, most: int = 50_000) -> Counter[str]:
    """Clear bodies and delete old rows in every database, at most `most` rows of each type; run again for more."""
    counts: Counter[str] = Counter()
    now = time.time() if now is None else now
    for step, databases in ((prune, outbox_databases()), (prune_touches, touch_databases())):
        for using in databases:
            try:
                counts.update(step(using, now=now, most=most))
            except AnyDatabaseError:
                logger.exception("tiktok: the tables in database %r could not be pruned", using)
                counts["failed"] += 1
    try:
        counts.update(prune_conversions(now=now, most=most))
    except AnyDatabaseError:
        logger.exception("tiktok: the recorded conversions could not be pruned")
        counts["failed"] += 1
    return counts


def touch_databases() -> list[str]:
    """Return the databases that may hold touches: where the site's routers write them, and those of the outbox."""
    return list(dict.fromkeys([router.db_for_write(Touch), *outbox_databases()]))


def prune_touches(using: str, *, now: float, most: int = 50_000) -> Counter[str]:
    """Delete touches after KEEP_TOUCH_DAYS, but none that a window still reaches; then counts of landings."""
    # Decision: the daily counts hold nothing of a person. They go with the conversions that they stand beside, after
    # KEEP_ATTRIBUTION_DAYS, so that the table stays bounded.
    settings = conf.current()
    past = now - max(settings.keep_touch_days * 86_400, settings.attribution.widest)
    last_day = moment(now - settings.keep_attribution_days * 86_400).date()
    return Counter(
        touches=_in_pages(Touch.objects.using(using).filter(at__lt=past), most, _delete),
        landings=_in_pages(LandingCount.objects.using(using).filter(day__lt=last_day), most, _delete),
    )


# Decision: the sums of a day stay when its conversions are deleted. They name no one, and a report of two years ago is
# worth having. `roll_up` computes no day again whose conversions may be gone.
def prune_conversions(*, now: float, most: int = 50_000) -> Counter[str]:
    """Delete recorded conversions with their touches, and links of browsers, after KEEP_ATTRIBUTION_DAYS."""
    using = router.db_for_write(RecordedConversion)
    past = int(now - conf.current().keep_attribution_days * 86_400)
    old = RecordedConversion.objects.using(using).filter(at__lt=past)
    links = VisitorLink.objects.using(router.db_for_write(VisitorLink)).filter(at__lt=past)
    return Counter(conversions=_in_pages(old, most, delete_conversions), links=_in_pages(links, most, _delete))


def delete_conversions(rows: QuerySet[RecordedConversion], pks: Collection[int]) -> int:
    """Delete those of `rows` that have one of these keys, with their touches and persons. Return how many."""
    with transaction.atomic(using=rows.db):
        gone = list(rows.filter(pk__in=pks).order_by("pk").select_for_update().values_list("pk", flat=True))
        for model in (ConversionTouch, ConversionPerson):
            model._default_manager.using(rows.db).filter(conversion__in=gone)._raw_delete(rows.db)
        return int(RecordedConversion.objects.using(rows.db).filter(pk__in=gone)._raw_delete(rows.db))


def has_more(done: Counter[str], most: int) -> bool:
    """Return True if a round of at most `most` rows of each type may have left some."""
    return any(count >= most for type_key, count in done.items() if type_key != "failed")


def drop_unanswered(*, now: float | None = None) -> None:
    """Suppress events that await consent longer than AWAITING_CONSENT_HOURS; each sweep runs it, every minute."""
    if not conf.current().asks:
        return  # the daily `prune` handles what remains from before
    for using in outbox_databases():
        try:
            drop_overdue(using, now=time.time() if now is None else now)
        except AnyDatabaseError:
            logger.exception("tiktok: events without an answer in database %r could not be suppressed", using)


def prune(using: str, *, now: float, most: int = 50_000) -> Counter[str]:
    """Clear bodies and delete rows that are too old. It never touches events that wait to be sent."""
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
    changed = ChangedObject.objects.using(using)
    if settings.attribution.enabled:
        changed = changed.none()  # the worker deletes them once it has read the objects
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
        changed=_in_pages(changed, most, _delete),
    )


def _end(using: str, before: datetime) -> int:
    """Return the last key that may have been recorded before that moment, plus one."""
    return first_pk_since(before + timedelta(seconds=SLACK_SECONDS), using=using)


def _clear(settled: QuerySet[OutboxEvent], bodies: QuerySet[Any], pks: list[Any]) -> int:
    """Clear bodies. They are found without their events, by an index of uncleared bodies."""
    with transaction.atomic(using=bodies.db):
        # Locked, so that nobody sends an event before its body is cleared.
        still = list(settled.filter(pk__in=pks).order_by("pk").select_for_update().values_list("pk", flat=True))
        cleared = clear_bodies(still, using=bodies.db)
    # Some events may have been deleted by hand. After the commit, so that it waits for no lock while it holds these.
    sweep(set(pks).difference(still), using=bodies.db)
    return cleared


def _delete(rows: QuerySet[Any], pks: list[Any]) -> int:
    return rows.filter(pk__in=pks)._raw_delete(rows.db)  # no constraint points at these rows: nothing to collect


def _in_pages(rows: QuerySet[Any], most: int, act: Callable[[QuerySet[Any], list[Any]], int]) -> int:
    """Apply `act` to the rows, PAGE_ROWS keys at a time in their order, so that no statement holds many locks.

    `act` gets the rows' own condition and checks it again: an event that was sent in the meantime is left alone.
    """
    done, beyond = 0, rows
    while done < most:
        pks = list(beyond.order_by("pk").values_list("pk", flat=True)[: min(PAGE_ROWS, most - done)])
        if not pks:
            break
        done += act(rows, pks)
        beyond = rows.filter(pk__gt=pks[-1])
    return done
