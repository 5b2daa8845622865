"""Send events again or cancel them by hand, and run such actions as background jobs.

`retry` and `cancel` change the chosen events at once. `start` records a job over all events of a filter, and `work`
goes through it, a page of keys at a time. Permissions are checked by the caller.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Least

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import DatabaseNow
from tiktok_attribution.delivery.event_search import EventFilter
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.responses import MOST_UNKNOWN_SECONDS
from tiktok_attribution.failures import describe
from tiktok_attribution.models import BulkJob, BulkState, BulkVerb, EventBody, OutboxEvent, State, moment

logger = logging.getLogger("tiktok_attribution")


class SkipReason(Enum):
    """Why a manual action leaves an event as it is."""

    DELIVERED = "delivered"
    BROWSER_ONLY = "browser only"
    INVALID = "invalid"
    CLEARED = "cleared"
    TOO_OLD = "too old"
    ALREADY_DUE = "already due"
    SETTLED = "settled"
    AWAITING_CONSENT = "awaiting_consent"
    DOUBTFUL = "doubtful"


class Row(NamedTuple):
    """The columns that decide about one event."""

    pk: int
    pixel_code: str
    state: str
    due_at: float | None
    event_time: int
    unknown_since: float | None
    browser_at: Any
    has_text: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualResult:
    """The events that were changed, or would be, and the keys of the others by skip reason.

    `doubtful` events could count twice: TikTok may have had them for longer than it remembers an event_id.
    """

    changed: list[Row]
    doubtful: list[Row]
    refused: dict[SkipReason, list[int]]


def retry(rows: QuerySet[OutboxEvent], *, now: float, dry: bool = False, careful: bool = False) -> ManualResult:
    """Make events due now: rejected, expired and cancelled ones, and waiting ones that are due later.

    `careful` skips events that could count twice, for callers that can't ask a person about them. `dry` changes
    nothing.
    """
    oldest = now - conf.current().max_age_seconds

    def skip_reason(row: Row) -> SkipReason | None:
        fixed = _NEVER_AGAIN.get(row.state)
        if fixed is not None:
            return fixed
        if not row.has_text:
            return SkipReason.CLEARED
        if row.event_time < oldest:
            return SkipReason.TOO_OLD
        if row.state == State.WAITING and (row.due_at or 0) <= now:
            return SkipReason.ALREADY_DUE
        return SkipReason.DOUBTFUL if careful and _may_count_twice(row, now) else None

    with transaction.atomic(using=rows.db):
        outcome = _sorted(rows, skip_reason, now=now, dry=dry)
        if not dry:
            found = OutboxEvent.objects.using(rows.db).with_keys(row.pk for row in outcome.changed)
            # These notes say why the events were given up. A cancelled event keeps its note: it is still true.
            found.in_state(State.REJECTED, State.EXPIRED).update(note="")
            # The earlier of both clocks, because the clock of a web server that is ahead must not delay the event.
            found.update(state=State.WAITING, due_at=Least(Value(now), DatabaseNow()))
            # A person accepted the risk. With the old moment, the next worker would only let the event expire again.
            doubtful = OutboxEvent.objects.using(rows.db).with_keys(row.pk for row in outcome.doubtful)
            doubtful.update(unknown_since=None)
    return outcome


_NEVER_AGAIN: dict[str, SkipReason] = {
    State.DELIVERED: SkipReason.DELIVERED,
    State.BROWSER_ONLY: SkipReason.BROWSER_ONLY,
    State.INVALID: SkipReason.INVALID,
    State.AWAITING_CONSENT: SkipReason.AWAITING_CONSENT,
}


def cancel(rows: QuerySet[OutboxEvent], *, now: float, dry: bool = False) -> ManualResult:
    """Cancel waiting events. One that is being sent at this moment may arrive, and then counts as delivered."""

    def skip_reason(row: Row) -> SkipReason | None:
        return None if row.state == State.WAITING else SkipReason.SETTLED

    with transaction.atomic(using=rows.db):
        outcome = _sorted(rows, skip_reason, now=now, dry=dry)
        if not dry:
            found = OutboxEvent.objects.using(rows.db).with_keys(row.pk for row in outcome.changed)
            found.update(state=State.CANCELLED, due_at=None)
    return outcome


def _sorted(
    rows: QuerySet[OutboxEvent], skip_reason: Callable[[Row], SkipReason | None], *, now: float, dry: bool
) -> ManualResult:
    # Locked, so that no worker changes a row between the check and its change. In the order of the keys, as the
    # workers' own statements find them. Events only: anyone who changes a body has locked its event before, and in a
    # join some engines lock the body first.
    found = rows.order_by("pk") if dry else rows.order_by("pk").select_for_update()
    looked_at = list(found.values_list(*Row._fields[:-1]))
    bodies = EventBody.objects.using(rows.db).filter(pk__in=[pk for pk, *_ in looked_at]).exclude(payload="")
    with_text = set(bodies.values_list("pk", flat=True))
    changed, refused = [], defaultdict(list)
    for row in (Row._make((*columns, columns[0] in with_text)) for columns in looked_at):
        reason = skip_reason(row)
        if reason is None:
            changed.append(row)
        else:
            refused[reason].append(row.pk)
    doubtful = [row for row in changed if _may_count_twice(row, now)]
    return ManualResult(changed=changed, doubtful=doubtful, refused=dict(refused))


def _may_count_twice(row: Row, now: float) -> bool:
    """Return True if a repeat could count twice: TikTok remembers an event_id for 48 hours, from either channel."""
    edge = now - MOST_UNKNOWN_SECONDS
    by_server = row.unknown_since is not None and row.unknown_since < edge
    return by_server or (row.browser_at is not None and row.browser_at < moment(edge))


PAGE_ROWS = 500
"""Rows changed in one transaction."""
WIDTH = 5_000
"""Keys looked at in one transaction."""
MOST_FAILURES = 5
MOST_SECONDS = 86_400.0
"""Age at which a job is given up, so that nothing is done that a person wanted a day ago and no longer expects."""
AT_ONCE_SECONDS = 45.0
"""How long one call works before it leaves the rest to the next call."""


EVERYTHING = "all"
"""Key in a job's stored filter: it says that a filter without conditions means all events."""


# Decision: a background job is a range of keys with a cursor. The cursor moves in the rows' own transaction, by an
# UPDATE that names the old cursor. That is lease, progress and resumption in one; no row is marked as a job's. The
# range ends at the last key of its beginning, and a job older than a day is given up, so every job ends. The filter is
# checked again for each page, so an event that changed in the meantime is left alone.
def start(verb: BulkVerb, event_filter: EventFilter, *, asked_by: str, using: str, everything: bool = False) -> BulkJob:
    """Start a job over the events that the outbox holds now, or return the same job if it is still running.

    A filter without a condition needs `everything`; otherwise ValueError is raised. The job stores that flag, because
    an empty object is also what a lost condition leaves, and must not mean all events.
    """
    if bool(event_filter) is everything:
        raise ValueError("a job has conditions, or says that it means everything")
    text = json.dumps({EVERYTHING: True} if everything else event_filter.as_data(), sort_keys=True)
    with transaction.atomic(using=using):
        same = _running(using).filter(verb=verb, chosen=text).first()
        if same is not None:
            return same
        keys = OutboxEvent.objects.using(using).values_list("pk", flat=True)
        low, high = event_filter.keys(using=using)
        first = max(low or 0, keys.order_by("pk").first() or 0)
        last = keys.order_by("-pk").first() or 0
        last = last if high is None else min(last, high - 1)
        return BulkJob.objects.using(using).create(
            verb=verb, chosen=text, asked_by=asked_by, first_key=first, last_key=last, cursor=first - 1
        )


def filter_of(job: BulkJob) -> EventFilter:
    """Return the filter of a job. Raises ValueError for data that `start` never stored."""
    data = json.loads(job.chosen)
    if data == {EVERYTHING: True}:
        return EventFilter()
    found = EventFilter.of_data(data)
    if not found:
        raise ValueError("no condition, and not said to mean everything")
    return found


def stop(pk: int, *, using: str, now: float) -> bool:
    """Stop a job; the remaining events stay as they are. Return False if it has ended already."""
    return bool(_running(using).filter(pk=pk).update(state=BulkState.STOPPED, ended_at=moment(now)))


def waiting_databases() -> list[str]:
    """Return the aliases of databases that have a running job. Raises nothing, because the sweep has other work."""
    return [using for using in outbox_databases() if _has_work(using)]


def work_everywhere(*, seconds: float = AT_ONCE_SECONDS, stopping: Callable[[], bool] = lambda: False) -> int:
    """Run `work` in every database, for `seconds` in all. Return how many events were changed."""
    until = time.monotonic() + seconds
    done = 0
    for using in waiting_databases():
        done += work(using, seconds=until - time.monotonic(), stopping=stopping)[0]
    return done


def work(
    using: str, *, seconds: float = AT_ONCE_SECONDS, stopping: Callable[[], bool] = lambda: False
) -> tuple[int, set[str]]:
    """Work on the jobs of this database, oldest first. Return how many events changed, and the pixels with due ones.

    Any number of processes may work at once. An error is logged, and the next call tries again.
    """
    until = time.monotonic() + seconds
    changed = 0
    pixel_codes: set[str] = set()
    for pk in list(_running(using).order_by("pk").values_list("pk", flat=True)):
        try:
            while time.monotonic() < until and not stopping():
                outcome = _step(pk, using, now=time.time())
                if outcome is None:
                    break
                changed += len(outcome.changed)
                pixel_codes |= {row.pixel_code for row in outcome.changed}
        except Exception as error:
            logger.exception("tiktok: job %s in database %r could not go on", pk, using)
            _note_failure(pk, using, type(error).__name__)
    return changed, pixel_codes


def _step(pk: int, using: str, *, now: float) -> ManualResult | None:
    """Do one page of a job. Return None if nothing remains, or if another process has just done this page."""
    job = _running(using).filter(pk=pk).first()
    if job is None or _given_up(job, using, now):
        return None
    rows = OutboxEvent.objects.using(using).filter(filter_of(job).condition(using=using))
    with transaction.atomic(using=using):
        # The second of two processes waits here for the first one's commit, and then finds another cursor.
        if not _running(using).filter(pk=pk, cursor=job.cursor).update(touched_at=moment(now)):
            return None
        end = min(job.cursor + WIDTH, job.last_key)
        keys = rows.filter(pk__gt=job.cursor, pk__lte=end).order_by("pk").values_list("pk", flat=True)
        pks = list(keys[:PAGE_ROWS])
        outcome = _act(job.verb, rows.filter(pk__in=pks), now)
        _note(job, outcome, pks[-1] if len(pks) == PAGE_ROWS else end, using, now)
    return outcome


def _act(verb: str, rows: QuerySet[OutboxEvent], now: float) -> ManualResult:
    return cancel(rows, now=now) if verb == BulkVerb.CANCEL else retry(rows, now=now, careful=True)


def _note(job: BulkJob, outcome: ManualResult, cursor: int, using: str, now: float) -> None:
    """Store a job's progress in the transaction of its events. The job's row is locked, so `job` is still current."""
    refused = Counter({reason.value: len(pks) for reason, pks in outcome.refused.items()})
    values: dict[str, Any] = {
        "cursor": cursor,
        "failures": 0,
        "changed": job.changed + len(outcome.changed),
        "left_alone": job.left_alone + sum(refused.values()),
        "reasons": json.dumps(Counter(json.loads(job.reasons)) + refused),
    }
    if cursor >= job.last_key:
        values |= {"state": BulkState.DONE, "ended_at": moment(now)}
    BulkJob.objects.using(using).filter(pk=job.pk).update(**values)


def _given_up(job: BulkJob, using: str, now: float) -> bool:
    late = job.created_at < moment(now - MOST_SECONDS)
    note = "Not finished within a day: no worker, or too much for it." if late else ""
    if not note and job.failures >= MOST_FAILURES:
        note = f"It failed {job.failures} times in a row: {job.note}"
    if not note and not _is_readable(job):
        # At once, because no later try can read it. It must never run as if it had fewer conditions.
        note = "Its filter can't be read: another version of this app stored it. Nothing was changed by it since."
    if note:
        rows = _running(using).filter(pk=job.pk)
        rows.update(state=BulkState.FAILED, ended_at=moment(now), note=note[:200])
    return bool(note)


def _is_readable(job: BulkJob) -> bool:
    try:
        filter_of(job)
    except (ValueError, RecursionError):
        return False
    return True


def _note_failure(pk: int, using: str, what: str) -> None:
    try:
        _running(using).filter(pk=pk).update(failures=F("failures") + 1, note=what)
    except AnyDatabaseError:
        logger.warning("tiktok: the failure of job %s could not be noted", pk)


def _running(using: str) -> QuerySet[BulkJob]:
    return BulkJob.objects.using(using).filter(state=BulkState.RUNNING)


def _has_work(using: str) -> bool:
    try:
        return _running(using).exists()
    except AnyDatabaseError as error:
        logger.warning("tiktok: can't look for jobs in database %r (%s)", using, describe(error))
        return False
