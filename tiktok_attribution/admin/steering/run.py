"""Retry and cancel as the admin does them: in stretches, invalid events built again, workers told on commit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from tiktok_attribution import tasks
from tiktok_attribution.admin.steering.reasons import Unbuilt
from tiktok_attribution.admin.steering.rebuild import rebuild
from tiktok_attribution.delivery import steer
from tiktok_attribution.delivery.steer import Steered, Why
from tiktok_attribution.models import OutboxEvent, PixelStatus

STRETCH = 500
MOST_REBUILT = 200
"""Invalid events built again in one request: each reads its object and runs the site's own declaration."""

Steer = Callable[..., Steered]


@dataclass(slots=True)
class Result:
    """What was done, or would be: keys of events and counts."""

    changed: list[int] = field(default_factory=list)
    rebuilt: list[int] = field(default_factory=list)
    refused: Counter[Why | Unbuilt] = field(default_factory=Counter)
    doubtful: int = 0
    pixel_codes: set[str] = field(default_factory=set)

    @property
    def all_changed(self) -> int:
        """How many events are in another state now."""
        return len(self.changed) + len(self.rebuilt)


def run(verb: Steer, pks: Sequence[int], *, using: str, dry: bool = False) -> Result:
    """Apply `steer.retry` or `steer.cancel` to these events. With `dry` nothing changes; what is invalid and may be
    built again then stands under `rebuilt`."""
    result = Result()
    for stretch in _stretches(pks):
        _steer(verb, stretch, result, using=using, dry=dry)
    if not dry:
        for pixel_code in result.pixel_codes if verb is steer.retry else ():
            transaction.on_commit(partial(tasks.hint, pixel_code, using), using=using, robust=True)
    return result


def _steer(verb: Steer, pks: Sequence[int], result: Result, *, using: str, dry: bool) -> None:
    done = verb(rows(pks, using=using), now=time.time(), dry=dry)
    result.changed += [row.pk for row in done.changed]
    result.pixel_codes |= {row.pixel_code for row in done.changed}
    result.doubtful += len(done.doubtful)
    for why, refused in done.refused.items():
        if why is Why.INVALID:
            _rebuild(refused, result, using=using, dry=dry)
        else:
            result.refused[why] += len(refused)


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
    """These events."""
    return OutboxEvent.objects.using(using).filter(pk__in=list(pks))


def stopped_pixels(pixel_codes: Iterable[str], *, using: str) -> list[str]:
    """Those of the pixels that may not send now."""
    stopped = PixelStatus.objects.using(using).filter(pk__in=list(pixel_codes), stopped_at__isnull=False)
    return list(stopped.order_by("pk").values_list("pk", flat=True))


def _stretches(pks: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(pks), STRETCH):
        yield pks[start : start + STRETCH]
