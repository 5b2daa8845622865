"""The bodies of events after their INSERT: written anew, cleared, or deleted with their events."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from tiktok_attribution.delivery.insert import columns
from tiktok_attribution.models import EventBody, OutboxEvent


def write_body(row: OutboxEvent, key: int, *, using: str) -> None:
    """The body again, where nothing was sent of it yet."""
    values = {field.attname: getattr(row, field.attname) for field in columns(EventBody)}
    EventBody.objects.using(using).filter(pk=key).update(**values)


def clear_bodies(pks: Collection[int], *, using: str) -> int:
    """Nothing is left of what was sent, nor is the event found by an e-mail address. How many that were."""
    return EventBody.objects.using(using).filter(pk__in=pks).update(payload="", email_key=None)


def forget(rows: QuerySet[OutboxEvent], pks: Collection[int]) -> int:
    """Delete those of `rows` that have one of these keys, and their bodies. How many that were."""
    gone = rows.filter(pk__in=pks)
    with transaction.atomic(using=gone.db):
        count = gone._raw_delete(gone.db)  # no constraint points at them, so there is nothing to collect
        sweep(pks, using=gone.db)
    return count


def sweep(pks: Collection[int], *, using: str) -> None:
    """Delete those of these bodies that no event is left of."""
    bodies = EventBody.objects.using(using).filter(pk__in=pks)
    bodies.exclude(Exists(OutboxEvent.objects.filter(pk=OuterRef("pk"))))._raw_delete(using)
