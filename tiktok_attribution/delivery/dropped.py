"""What is left of an event that is told to nobody: a count, and at its object the word that it is not to be told of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import F

from tiktok_attribution.consent.answer import Consent, Reason
from tiktok_attribution.models import DroppedCount, VisitorSnapshot


def count_dropped(pixel_codes: Iterable[str], name: str, reason: Reason, *, using: str, many: int = 1) -> None:
    """Count after the commit: the row is everybody's, so no checkout may keep it locked."""
    for code in dict.fromkeys(pixel_codes):
        transaction.on_commit(partial(add, code, name, reason, many, using=using), using=using, robust=True)


def add(pixel_code: str, name: str, reason: Reason, many: int, *, using: str) -> None:
    """One more for today (UTC)."""
    key = {
        "day": datetime.now(timezone.utc).date(),
        "pixel_code": pixel_code,
        "name": name[:50],
        "reason": reason.value,
    }
    counted = DroppedCount.objects.using(using).filter(**key)
    if counted.update(count=F("count") + many):
        return
    try:
        with transaction.atomic(using=using):
            DroppedCount.objects.using(using).create(**key, count=many)
    except IntegrityError:  # somebody was the first of the day a moment ago
        counted.update(count=F("count") + many)


def refusal(reason: str) -> str:
    """The snapshot of an object that is not to be told of: nothing of its visitor, and why."""
    decision = {"consent": Consent.DENIED.value, "reason": reason, "limited_data_use": False}
    return json.dumps({"user": {}, "page": {}, "pixel_codes": None, "decision": decision})


def refuse_objects(objects: Iterable[tuple[str, str]], reason: Reason, *, using: str) -> None:
    """What becomes of these objects (label, key) is told to nobody: no webhook and no backfill finds their visitor.

    Without this an order whose shopper said no would go out by the next backfill, for it stands in no outbox.
    """
    text = refusal(reason.value)
    snapshots = VisitorSnapshot.objects.using(using)
    for label, pk in dict.fromkeys(objects):
        if label and not snapshots.filter(object_label=label, object_pk=pk).update(signals=text):
            row = VisitorSnapshot(object_label=label, object_pk=pk, signals=text)
            with transaction.atomic(using=using):
                snapshots.bulk_create([row], ignore_conflicts=True)
