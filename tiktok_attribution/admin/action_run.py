"""Run retry and cancel for the admin: page by page, with invalid events built again from their objects.

`run` applies a manual action to events and returns a `Result`. `rebuild` builds one invalid event again, once its
declaration or its object has been fixed. Workers are woken when the transaction commits.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from tiktok_attribution import tasks
from tiktok_attribution.admin.explanations import Unbuilt
from tiktok_attribution.conversions.building import conversion_of, object_of
from tiktok_attribution.conversions.objects import heal
from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.manual import ManualResult, SkipReason
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import reason
from tiktok_attribution.models import OutboxEvent, PixelStatus, State
from tiktok_attribution.transactions import protected

logger = logging.getLogger("tiktok_attribution")


@errors_without_values
def rebuild(row: OutboxEvent, *, using: str) -> Unbuilt | None:
    """Record the row's conversion again, with its old time. Return None if it is valid now, otherwise the reason."""
    still = OutboxEvent.objects.using(using).with_keys([row.pk]).in_state(State.INVALID)
    if not still.exists():
        return None  # fixed a moment ago, together with the same event of another pixel
    obj = object_of(row, using=using)
    if obj is None:
        return Unbuilt.GONE
    conversion = conversion_of(row, obj)
    if conversion is None:
        return Unbuilt.UNDECLARED
    try:
        with protected(using):
            happened = conversion.happened(obj)
        if not happened:
            return Unbuilt.NOT_HAPPENED
        heal(conversion, obj, using=using)
    except Exception as error:  # a declaration may raise any error, and with STRICT the recorder raises too
        logger.warning("tiktok: %s %s is still invalid: %s", row.name, row.event_id, reason(error))
    return Unbuilt.STILL if still.exists() else None


PAGE_ROWS = 500
MOST_REBUILT = 200
"""Invalid events that one request builds again: each reads its object and runs the site's own declaration.

Decision: a background job does not build invalid events again, because only the floor of conversions knows how. So a
request does it, for a limited number of events.
"""

ManualAction = Callable[..., ManualResult]


@dataclass(slots=True)
class Result:
    """The outcome of an action, or of its dry run: keys of events, and counts."""

    changed: list[int] = field(default_factory=list)
    rebuilt: list[int] = field(default_factory=list)
    refused: Counter[SkipReason | Unbuilt] = field(default_factory=Counter)
    doubtful: int = 0
    pixel_codes: set[str] = field(default_factory=set)

    @property
    def all_changed(self) -> int:
        """How many events have changed their state."""
        return len(self.changed) + len(self.rebuilt)


def run(verb: ManualAction, pks: Sequence[int], *, using: str, dry: bool = False) -> Result:
    """Apply `manual.retry` or `manual.cancel` to these events.

    With `dry` nothing changes, and `rebuilt` holds the invalid events that may be built again.
    """
    result = Result()
    for page in _pages(pks):
        _act(verb, page, result, using=using, dry=dry)
    if not dry:
        for pixel_code in result.pixel_codes if verb is manual.retry else ():
            transaction.on_commit(partial(tasks.wake_worker, pixel_code, using), using=using, robust=True)
    return result


def _act(verb: ManualAction, pks: Sequence[int], result: Result, *, using: str, dry: bool) -> None:
    done = verb(rows(pks, using=using), now=time.time(), dry=dry)
    result.changed += [row.pk for row in done.changed]
    result.pixel_codes |= {row.pixel_code for row in done.changed}
    result.doubtful += len(done.doubtful)
    for skip_reason, refused in done.refused.items():
        if skip_reason is SkipReason.INVALID:
            _rebuild(refused, result, using=using, dry=dry)
        else:
            result.refused[skip_reason] += len(refused)


def _rebuild(pks: Iterable[int], result: Result, *, using: str, dry: bool) -> None:
    for row in rows(pks, using=using).order_by("pk"):
        if not row.object_label:
            result.refused[Unbuilt.NO_OBJECT] += 1
        elif dry:
            result.rebuilt.append(row.pk)
        elif len(result.rebuilt) + sum(map(result.refused.__getitem__, Unbuilt)) >= MOST_REBUILT:
            result.refused[Unbuilt.LATER] += 1
        elif (wrong := rebuild(row, using=using)) is None:
            result.rebuilt.append(row.pk)
        else:
            result.refused[wrong] += 1


def rows(pks: Iterable[int], *, using: str) -> QuerySet[OutboxEvent]:
    """Return the events with these keys."""
    return OutboxEvent.objects.using(using).with_keys(pks)


def stopped_pixels(pixel_codes: Iterable[str], *, using: str) -> list[str]:
    """Return those of the pixels that are stopped."""
    stopped = PixelStatus.objects.using(using).filter(pk__in=list(pixel_codes), stopped_at__isnull=False)
    return list(stopped.order_by("pk").values_list("pk", flat=True))


def _pages(pks: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(pks), PAGE_ROWS):
        yield pks[start : start + PAGE_ROWS]
