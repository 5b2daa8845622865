"""Release events that await consent when the visitor agrees, and suppress them when the visitor refuses.

`release` makes such events due. `drop` deletes or cancels a visitor's events and counts them. `drop_overdue` does the
same for events whose visitor never answered.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Consent, Reason
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.clock import DatabaseNow
from tiktok_attribution.delivery.outbox import clear_bodies, due_when_finished, forget, outbox_databases
from tiktok_attribution.delivery.suppressed import count_suppressed, refuse_objects
from tiktok_attribution.models import (
    OutboxEvent,
    State,
    VisitorSnapshot,
    events_of,
    events_with,
    moment,
    snapshots_of,
)

WITHDRAWN = "Consent was withdrawn while it was being sent."
PAGE_ROWS = 1000


class Key(NamedTuple):
    """Identifies one event of the outbox, as its unique constraint does."""

    pixel_code: str
    name: str
    event_id: str


class Theirs(NamedTuple):
    """What is known to belong to one visitor: the keys of events, and objects (label, key)."""

    keys: Sequence[Key]
    objects: Sequence[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.keys or self.objects)

    def events(self, using: str) -> QuerySet[OutboxEvent]:
        """Return the visitor's events. Two statements: with an OR over two indexes, some engines read the table."""
        events = OutboxEvent.objects.using(using)
        ways = (events_with(self.keys), events_of(self.objects))
        return events.filter(pk__in={pk for way in ways for pk in events.filter(way).values_list("pk", flat=True)})

    def snapshots(self, using: str) -> QuerySet[VisitorSnapshot]:
        """Return the snapshots of the visitor's objects."""
        return VisitorSnapshot.objects.using(using).filter(snapshots_of(self.objects))


def release(theirs: Theirs, *, now: float | None = None) -> list[tuple[Key, str]]:
    """Make a visitor's events due after consent; they keep their time and id. Return each one's key and database."""
    due = DatabaseNow() if now is None else now
    now = time.time() if now is None else now
    released: list[tuple[Key, str]] = []
    for using in outbox_databases():
        with _one_change(using):
            rows = theirs.events(using).filter(state=State.AWAITING_CONSENT, created_at__gte=_oldest(now))
            found = {pk: Key(*key) for pk, *key in rows.values_list("pk", *Key._fields)}
            _awaiting(using).filter(pk__in=list(found)).update(state=State.WAITING, due_at=due_when_finished(due))
            for snapshot in theirs.snapshots(using):
                _agree(snapshot, using)
        released += [(key, using) for key in found.values()]
    return released


def _agree(snapshot: VisitorSnapshot, using: str) -> None:
    signals = json.loads(snapshot.signals)
    decision = signals.get("decision") or {}
    if decision.get("consent") == Consent.UNKNOWN.value:
        signals["decision"] = {**decision, "consent": Consent.GRANTED.value}
        VisitorSnapshot.objects.using(using).filter(pk=snapshot.pk).update(signals=json.dumps(signals))


# Decision: events that await consent are linked to their visitor by the signed cookie that names pending events, so no
# new identifier is made. If that cookie is lost, they run out after AWAITING_CONSENT_HOURS. A refusal stands at the
# object in the place of its snapshot (`suppressed.refuse_objects`).
def drop(theirs: Theirs, reason: Reason) -> int:
    """Suppress a visitor's unsent events after a refusal. One that is being sent at this moment may still arrive."""
    done = 0
    for using in outbox_databases():
        with outages.noticing(using, refused=theirs.objects, reason=reason), _one_change(using):
            rows = theirs.events(using)
            refuse_objects(theirs.objects, reason, using=using)
            done += _drop(rows.filter(state=State.AWAITING_CONSENT), reason, using)
            done += _drop(rows.filter(state=State.WAITING, attempts=0), reason, using)
            done += _drop(rows.filter(state=State.BROWSER_ONLY, browser_at__isnull=True), reason, using)
            done += _call_off(rows.filter(state=State.WAITING), using)
    return done


def _call_off(rows: QuerySet[OutboxEvent], using: str) -> int:
    """Cancel events that were tried already. TikTok may have them, so their rows stay."""
    tried = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
    clear_bodies(tried, using=using)
    return rows.filter(pk__in=tried).update(state=State.CANCELLED, due_at=None, note=WITHDRAWN)


def drop_overdue(using: str, *, now: float, most: int = 50_000) -> int:
    """Suppress events whose visitor did not answer within AWAITING_CONSENT_HOURS. Return how many."""
    done = 0
    while done < most:
        overdue = _awaiting(using).filter(created_at__lt=_oldest(now)).order_by("created_at")
        keys = list(overdue.values_list("pk", flat=True)[: min(PAGE_ROWS, most - done)])
        if not keys:
            break
        with transaction.atomic(using=using):
            done += _drop(_awaiting(using).filter(pk__in=keys), Reason.NO_ANSWER, using)
    return done


def _drop(rows: QuerySet[OutboxEvent], reason: Reason, using: str) -> int:
    columns = ("pk", "pixel_code", "name", "object_label", "object_pk")
    found = list(rows.values_list(*columns))
    if not found:
        return 0
    refuse_objects([(label, pk) for *_, label, pk in found if label], reason, using=using)
    counts = Counter((code, name) for _, code, name, *_ in found)
    for (code, name), many in counts.items():
        count_suppressed([code], name, reason, using=using, many=many)
    return forget(rows, [pk for pk, *_ in found])


def _awaiting(using: str) -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.using(using).in_state(State.AWAITING_CONSENT)


def _oldest(now: float) -> datetime:
    return moment(now - conf.current().awaiting_consent_hours * 3600)


def _one_change(using: str) -> AbstractContextManager[None]:
    return transaction.atomic(using=using)


def keys_of(rows: Iterable[OutboxEvent]) -> list[Key]:
    """Return the keys of these events."""
    return [Key(row.pixel_code, row.name, row.event_id) for row in rows]
