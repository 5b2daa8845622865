"""Finds conversions that no signal saw: `QuerySet.update`, `bulk_create`, downtime, an outbox that failed.

Safe to run twice: event ids are made from the object, and the outbox takes each once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from time import time
from typing import Any

from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.conversions.building import pixel_codes
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.receivers import record_object
from tiktok_attribution.delivery.outbox import known_event_ids
from tiktok_attribution.events.moments import epoch_seconds
from tiktok_attribution.exceptions import InvalidEvent

STRETCH = 500


def backfill(conversion: Conversion, *, using: str, since_seconds: float | None = None, dry: bool = False) -> Counter[str]:
    """Record what happened within the last `since_seconds` (at most MAX_AGE_DAYS) and is not in the outbox.

    Counts "recorded", "known", "old" and "undated". An object without a time of its own is left alone: to send it as
    if it had happened now would be a false conversion.
    """
    tally: Counter[str] = Counter()
    most = conf.current().max_age_seconds
    oldest = time() - min(since_seconds or most, most)
    rows = conversion.candidates().using(using).order_by("pk").iterator(chunk_size=STRETCH)
    for stretch in _stretches(rows):
        recent = [obj for obj in stretch if _is_recent(conversion, obj, oldest, tally)]
        known = _known(conversion, recent, using)
        for obj in recent:
            if conversion.event_id(obj) in known:
                tally["known"] += 1
            elif dry or record_object(conversion, obj, using=using):
                tally["recorded"] += 1
            else:
                tally["invalid"] += 1
    return tally


def _stretches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while stretch := list(islice(rows, STRETCH)):
        yield stretch


def _is_recent(conversion: Conversion, obj: Any, oldest: float, tally: Counter[str]) -> bool:
    if not conversion.happened(obj):
        return False
    moment = conversion.event_time(obj)
    if moment is None:
        tally["undated"] += 1
        return False
    try:
        epoch_seconds(
            moment,
            now=time(),
            default_timezone=timezone.get_default_timezone(),
            max_age_seconds=int(time() - oldest),
        )
    except InvalidEvent:
        tally["old"] += 1
        return False
    return True


def _known(conversion: Conversion, objects: Sequence[Any], using: str) -> set[str]:
    """Event ids that stand in the outbox for every pixel they would go to."""
    ids = [conversion.event_id(obj) for obj in objects]
    codes = pixel_codes(None, conversion.pixels(objects[0]) if objects else ())
    found = [known_event_ids(code, conversion.event, ids, using=using) for code in codes]
    return set.intersection(*found) if found else set()
