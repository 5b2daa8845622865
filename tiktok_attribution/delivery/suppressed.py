"""What is left of an event that is told to nobody: a count, and at its object the word that it is not to be told of."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime, timezone

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, transaction
from django.db.models import F

from tiktok_attribution.consent.decision import Consent, Reason
from tiktok_attribution.failures import describe
from tiktok_attribution.models import SuppressedCount, VisitorSnapshot, snapshots_of

logger = logging.getLogger("tiktok_attribution")

# Labels of models whose visitor speaks for later objects as well (an invoice's subscription), set by the conversions. A
# refusal at one of them outlives SNAPSHOT_DAYS: it holds nothing of the person, and a renewal in a year must find it.
lasting_refusals: set[str] = set()
IS_DENIED = f'"consent": "{Consent.DENIED.value}"'
"""Stands in the text of every snapshot that says no."""


def count_suppressed(pixel_codes: Iterable[str], name: str, reason: Reason, *, using: str, many: int = 1) -> None:
    """Count after the commit: the row is everybody's, so no checkout may keep it locked."""
    codes = tuple(dict.fromkeys(pixel_codes))

    def count() -> None:
        # Django's `robust` is not enough: it logs the words of the error, and raises where the callback is a partial.
        try:
            for code in codes:
                add(code, name, reason, many, using=using)
        except AnyDatabaseError as error:
            # Without the error's own words and values.
            logger.error("tiktok: suppressed events could not be counted (%s)", describe(error))  # noqa: TRY400

    transaction.on_commit(count, using=using, robust=True)


def add(pixel_code: str, name: str, reason: Reason, many: int, *, using: str) -> None:
    """One more for today (UTC)."""
    key = {
        "day": datetime.now(timezone.utc).date(),
        "pixel_code": pixel_code,
        "name": name[:50],
        "reason": reason.value,
    }
    counted = SuppressedCount.objects.using(using).filter(**key)
    if counted.update(count=F("count") + many):
        return
    try:
        with transaction.atomic(using=using):
            SuppressedCount.objects.using(using).create(**key, count=many)
    except IntegrityError:  # somebody was the first of the day a moment ago
        counted.update(count=F("count") + many)


def refusal(reason: str) -> str:
    """The snapshot of an object that is not to be told of: nothing of its visitor, and why."""
    decision = {"consent": Consent.DENIED.value, "reason": reason, "limited_data_use": False}
    return json.dumps({"user": {}, "page": {}, "pixel_codes": None, "decision": decision})


def refuse_objects(objects: Iterable[tuple[str, str]], reason: Reason, *, using: str) -> None:
    """What becomes of these objects (label, key) is told to nobody: no webhook and no backfill finds their visitor.

    Without this an order whose shopper said no would go out by the next backfill, for it stands in no outbox.
    At most three statements, whatever the number of objects: a browser names up to 60 of them in one cookie. What is
    refused already is not written again, so a cookie that is sent a thousand times costs a SELECT each.
    """
    named = {(label, pk) for label, pk in objects if label}
    if not named:
        return
    text = refusal(reason.value)
    snapshots = VisitorSnapshot.objects.using(using)
    kept = list(snapshots.filter(snapshots_of(named)).values_list("pk", "object_label", "object_pk", "signals"))
    changed = [pk for pk, *_, signals in kept if not _is_refused(signals)]
    if changed:
        snapshots.filter(pk__in=changed).update(signals=text)
    missing = named.difference((label, key) for _, label, key, _ in kept)
    if missing:
        rows = [VisitorSnapshot(object_label=label, object_pk=pk, signals=text) for label, pk in sorted(missing)]
        with transaction.atomic(using=using):
            snapshots.bulk_create(rows, ignore_conflicts=True)


def _is_refused(signals: str) -> bool:
    decision = json.loads(signals).get("decision") or {}
    # With NO_VISITOR nobody has refused: it carries a flag alone.
    return decision.get("consent") == Consent.DENIED.value and decision.get("reason") != Reason.NO_VISITOR.value
