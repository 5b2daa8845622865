"""Suppress events: count them, and mark their objects as refused so that no webhook or backfill sends them later.

A suppressed event has no row in the outbox. `count_suppressed` keeps its count by day and reason. `refuse_objects`
replaces the snapshots of its objects by a refusal without personal data.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import datetime, timezone

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, transaction
from django.db.models import F

from tiktok_attribution.consent.types import Consent, Reason
from tiktok_attribution.failures import describe
from tiktok_attribution.models import SuppressedCount, VisitorSnapshot, snapshots_of

logger = logging.getLogger("tiktok_attribution")

# Labels of models whose visitor is also used for later objects (an invoice's subscription), set by the conversions. A
# refusal at such an object outlives SNAPSHOT_DAYS: it holds no personal data, and a renewal in a year must find it.
lasting_refusals: set[str] = set()
IS_DENIED = f'"consent": "{Consent.DENIED.value}"'
"""The text that every refused snapshot contains."""


def count_suppressed(pixel_codes: Iterable[str], name: str, reason: Reason, *, using: str, many: int = 1) -> None:
    """Count suppressed events after the commit: many processes share the row, so no checkout may keep it locked."""
    codes = tuple(dict.fromkeys(pixel_codes))

    def count() -> None:
        # Django's `robust` is not enough: it logs the error's text, and it raises if the callback is a partial.
        try:
            for code in codes:
                add(code, name, reason, many, using=using)
        except AnyDatabaseError as error:
            # Without the error's own text and values.
            logger.error("tiktok: suppressed events could not be counted (%s)", describe(error))  # noqa: TRY400

    transaction.on_commit(count, using=using, robust=True)


def add(pixel_code: str, name: str, reason: Reason, many: int, *, using: str) -> None:
    """Add to today's count (UTC)."""
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
    except IntegrityError:  # another process has just made today's row
        counted.update(count=F("count") + many)


def refusal(reason: str) -> str:
    """Return the snapshot of a refused object: nothing of its visitor, only the reason."""
    decision = {"consent": Consent.DENIED.value, "reason": reason, "limited_data_use": False}
    return json.dumps({"user": {}, "page": {}, "pixel_codes": None, "decision": decision})


# Decision: a refusal stands at the object, in the place of its snapshot, with nothing of the visitor. Otherwise a
# backfill would send the order of a shopper who said no, because that order has no event in the outbox.
def refuse_objects(objects: Iterable[tuple[str, str]], reason: Reason, *, using: str) -> None:
    """Mark these objects (label, key) as refused, so that no webhook and no backfill finds their visitor.

    It takes at most three statements, whatever the number of objects: a browser names up to 60 in one cookie. An
    object that is refused already is not written again. So a cookie that is sent a thousand times costs one SELECT
    each time.
    """
    named = {(label, pk) for label, pk in objects if label}
    if not named:
        return
    text = refusal(reason.value)
    snapshots = VisitorSnapshot.objects.using(using)
    kept = list(snapshots.filter(snapshots_of(named)).values_list("pk", "object_label", "object_pk", "signals"))
    changed = [pk for pk, *_, signals in kept if not _is_refused(signals)]
    if changed:
        snapshots.filter(pk__in=changed).update(signals=text, visitor_key=None)
    missing = named.difference((label, key) for _, label, key, _ in kept)
    if missing:
        rows = [VisitorSnapshot(object_label=label, object_pk=pk, signals=text) for label, pk in sorted(missing)]
        with transaction.atomic(using=using):
            snapshots.bulk_create(rows, ignore_conflicts=True)


def _is_refused(signals: str) -> bool:
    decision = json.loads(signals).get("decision") or {}
    # With NO_VISITOR nobody has refused: the snapshot only carries a flag.
    return decision.get("consent") == Consent.DENIED.value and decision.get("reason") != Reason.NO_VISITOR.value
