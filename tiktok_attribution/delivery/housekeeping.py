"""Keeps the tables small: payloads are cleared, then rows pruned, by age and in small batches."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from django.db.models import Model, QuerySet

from tiktok_attribution import conf
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import Attempt, OutboxEvent, VisitorSnapshot, moment

STRETCH = 1000


def prune_all(*, now: float | None = None, most: int = 50_000) -> Counter[str]:
    """Clear and prune in every database, at most `most` rows of a kind; run again for more."""
    tally: Counter[str] = Counter()
    for using in outbox_databases():
        tally += prune(using, now=now or time.time(), most=most)
    return tally


def prune(using: str, *, now: float, most: int = 50_000) -> Counter[str]:
    """Clear payloads and delete rows that are past their time. What still waits to be sent is never touched."""
    settings = conf.current()
    settled = OutboxEvent.objects.using(using).filter(due_at__isnull=True)
    spent = settled.filter(created_at__lt=moment(now - settings.keep_payload_days * 86_400)).exclude(payload="")
    old = settled.filter(created_at__lt=moment(now - settings.keep_event_days * 86_400))
    attempts = Attempt.objects.using(using).filter(started_at__lt=moment(now - settings.keep_event_days * 86_400))
    snapshots = VisitorSnapshot.objects.using(using)
    forgotten = snapshots.filter(created_at__lt=moment(now - settings.snapshot_days * 86_400))
    tally: Counter[str] = Counter()
    tally["payloads"] = _in_stretches(spent, most, lambda rows: rows.update(payload=""))
    tally["events"] = _in_stretches(old, most, lambda rows: rows._raw_delete(using))
    tally["attempts"] = _in_stretches(attempts, most, lambda rows: rows._raw_delete(using))
    tally["snapshots"] = _in_stretches(forgotten, most, lambda rows: rows._raw_delete(using))
    return tally


def _in_stretches(rows: QuerySet[Any], most: int, act: Any) -> int:
    """Apply `act` to the rows, STRETCH at a time, so that no statement holds many locks."""
    done = 0
    model: type[Model] = rows.model
    while done < most:
        pks = list(rows.order_by("pk").values_list("pk", flat=True)[:STRETCH])
        if not pks:
            break
        act(model._base_manager.using(rows.db).filter(pk__in=pks))
        done += len(pks)
    return done
