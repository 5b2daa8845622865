"""Steering by hand: events are sent again or called off. Who may do that is the caller's question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Least

from tiktok_attribution import conf
from tiktok_attribution.delivery.backoff import MOST_UNKNOWN_SECONDS
from tiktok_attribution.delivery.clock import DatabaseNow
from tiktok_attribution.models import EventBody, OutboxEvent, State, moment


class SkipReason(Enum):
    """Why an event is left as it is."""

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
    """What decides about one event."""

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
    """What was changed, or would be, and the keys of what was not, by reason.

    Doubtful are those that TikTok may have had for longer than it remembers an event_id: they could count twice.
    """

    changed: list[Row]
    doubtful: list[Row]
    refused: dict[SkipReason, list[int]]


def retry(rows: QuerySet[OutboxEvent], *, now: float, dry: bool = False, careful: bool = False) -> ManualResult:
    """Make these due now: rejected, expired and cancelled ones, and waiting ones that are due later.

    `careful` leaves alone what could count twice, where nobody can be asked about it.
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
            found = OutboxEvent.objects.using(rows.db).filter(pk__in=[row.pk for row in outcome.changed])
            # Their notes say why they were given up; what was left out of a cancelled one is still true.
            found.filter(state__in=(State.REJECTED, State.EXPIRED)).update(note="")
            # The earlier of both clocks: that of a web server which is ahead must not put it off.
            found.update(state=State.WAITING, due_at=Least(Value(now), DatabaseNow()))
            # Somebody took the risk; with the old moment the next worker would only let it expire again.
            doubtful = OutboxEvent.objects.using(rows.db).filter(pk__in=[row.pk for row in outcome.doubtful])
            doubtful.update(unknown_since=None)
    return outcome


_NEVER_AGAIN: dict[str, SkipReason] = {
    State.DELIVERED: SkipReason.DELIVERED,
    State.BROWSER_ONLY: SkipReason.BROWSER_ONLY,
    State.INVALID: SkipReason.INVALID,
    State.AWAITING_CONSENT: SkipReason.AWAITING_CONSENT,
}


def cancel(rows: QuerySet[OutboxEvent], *, now: float, dry: bool = False) -> ManualResult:
    """Call off what waits. What is on its way this moment may arrive, and is then marked as delivered."""

    def skip_reason(row: Row) -> SkipReason | None:
        return None if row.state == State.WAITING else SkipReason.SETTLED

    with transaction.atomic(using=rows.db):
        outcome = _sorted(rows, skip_reason, now=now, dry=dry)
        if not dry:
            found = OutboxEvent.objects.using(rows.db).filter(pk__in=[row.pk for row in outcome.changed])
            found.update(state=State.CANCELLED, due_at=None)
    return outcome


def _sorted(
    rows: QuerySet[OutboxEvent], skip_reason: Callable[[Row], SkipReason | None], *, now: float, dry: bool
) -> ManualResult:
    # Locked, so that no worker settles a row between the look at it and its change; in the order of the keys, as
    # the workers' own statements find them. The events alone: who changes a body has locked its event before, and in
    # a join some engines lock the body first.
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
    """TikTok remembers an event_id for 48 hours, whichever half it came with."""
    edge = now - MOST_UNKNOWN_SECONDS
    by_server = row.unknown_since is not None and row.unknown_since < edge
    return by_server or (row.browser_at is not None and row.browser_at < moment(edge))
