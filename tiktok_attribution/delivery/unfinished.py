"""Events whose object may still change: committed, and not due before they are finished.

A worker reads rows that are due. An unfinished one has no `due_at`, so nobody has read its body and it may be written
again. The UPDATE that makes it due asks for exactly that, and the body is written in its transaction: what has been
taken for sending is never changed, and no clock is asked.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Case, FloatField, QuerySet, Value, When

from tiktok_attribution.delivery.bodies import write_body
from tiktok_attribution.delivery.clock import DatabaseNow
from tiktok_attribution.models import OutboxEvent, State

Moment = float | DatabaseNow
"""Epoch seconds, or the database's own time."""

MAY_CHANGE = (State.WAITING, State.AWAITING_CONSENT, State.BROWSER_ONLY)
_BUILT = ("event_time", "value", "currency", "note", "match_keys")
"""What a body says of itself in its event's row."""


def due_when_finished(now: Moment) -> Case:
    """For who makes events due: those that are unfinished wait for that."""
    return Case(When(unfinished_since__isnull=True, then=_expression(now)), default=None, output_field=FloatField())


def rebuild(row: OutboxEvent, *, using: str) -> bool:
    """Write a row anew in the transaction that inserted it, in which nobody else sees it. False if it is gone."""
    with transaction.atomic(using=using):
        rows = OutboxEvent.objects.using(using).filter(pk=row.pk, attempts=0)
        changed = rows.update(**{name: getattr(row, name) for name in _BUILT})
        if changed:
            write_body(row, row.pk, using=using)
    return bool(changed)


def postpone(pks: Collection[int], *, using: str, now: Moment) -> None:
    """In the transaction that inserted them: their object is being changed, so they wait until they are finished."""
    rows = OutboxEvent.objects.using(using).filter(pk__in=list(pks), attempts=0, state__in=MAY_CHANGE)
    rows.update(unfinished_since=now, due_at=None)


def unfinished(pks: Collection[int], *, using: str) -> QuerySet[OutboxEvent]:
    """Those of these that still are. Not one that somebody cancelled, and another sent again: it is due."""
    return OutboxEvent.objects.using(using).filter(
        pk__in=list(pks), unfinished_since__isnull=False, due_at__isnull=True, state__in=MAY_CHANGE
    )


def finish(row: OutboxEvent, *, using: str, now: Moment, rebuilt: bool) -> bool:
    """Make it due, with what the row holds now where it was `rebuilt`. False if another process was quicker.

    The event before its body, as everybody locks them.
    """
    built = {name: getattr(row, name) for name in _BUILT} if rebuilt else {}
    due_at = Case(When(state=State.WAITING, then=_expression(now)), default=None, output_field=FloatField())
    with transaction.atomic(using=using):
        if not unfinished([row.pk], using=using).update(unfinished_since=None, due_at=due_at, **built):
            return False
        if rebuilt:
            write_body(row, row.pk, using=using)
    row.unfinished_since, row.due_at = None, now if row.state == State.WAITING else None
    return True


def _expression(now: Moment) -> DatabaseNow | Value:
    return now if isinstance(now, DatabaseNow) else Value(now)


def left_behind(*, using: str, before: float, most: int) -> list[OutboxEvent]:
    """Those whose process has not finished them by then, the oldest first, with their bodies.

    What was cancelled or erased meanwhile only loses the mark.
    """
    marked = OutboxEvent.objects.using(using).filter(unfinished_since__lte=before)
    pks = list(marked.order_by("unfinished_since").values_list("pk", flat=True)[:most])
    if not pks:
        return []
    found = list(unfinished(pks, using=using).exclude(payload="").order_by("pk"))
    others = set(pks).difference(row.pk for row in found)
    if others:
        settled = OutboxEvent.objects.using(using).filter(pk__in=others)
        lost = settled.filter(due_at__isnull=True, state=State.WAITING)
        lost.update(unfinished_since=None, due_at=before)  # its body is gone: the worker lets it expire and says why
        settled.update(unfinished_since=None)
    return found
