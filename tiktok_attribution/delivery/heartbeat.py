"""Signs of life of what runs by itself, and turns that one process takes at a time."""

from __future__ import annotations

import logging

from django.db import Error as AnyDatabaseError

from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Heartbeat

logger = logging.getLogger("tiktok_attribution")

WORKER, SWEEP, LOOP = "worker", "sweep", "deliver-loop"
EVERY_SECONDS = 60.0
UNTAGGED = "no-tag:"  # before the name of a view whose page went out without the tag
_MOST_CHARACTERS = 32  # of `Heartbeat.name`


def beat(name: str, *, using: str, now: float | None = None, every: float = EVERY_SECONDS) -> bool:
    """Note that `name` is alive, at most once in `every` seconds. True for the one caller that noted it. `now`: epoch
    seconds of the database's clock, which is asked where the caller did not: two machines an hour apart would each
    take every turn.

    It looks before it writes, and outside of a transaction: an UPDATE takes SQLite's write lock even where no row
    fits, and `tiktok_deliver --loop` comes here three times a round. Raises nothing: a sign of life is not worth a
    delivery.
    """
    try:
        now = database_time(using) if now is None else now
        last = seen_at(name, using=using)
        if last is None:
            return Heartbeat.objects.using(using).get_or_create(pk=name, defaults={"seen_at": now})[1]
        if now - every < last <= now + every:  # further ahead: by a clock that was wrong
            return False
        return bool(Heartbeat.objects.using(using).filter(pk=name, seen_at=last).update(seen_at=now))
    except AnyDatabaseError as error:
        logger.warning("tiktok: the heartbeat was not stored (%s)", describe(error))
        return False


def seen_at(name: str, *, using: str) -> float | None:
    """Epoch seconds of the last sign of life; None where there never was one."""
    return Heartbeat.objects.using(using).filter(pk=name).values_list("seen_at", flat=True).first()


def untagged_name(view: str) -> str:
    """Under which name it is noted that a page of this view lacks the tag; the end of a long one counts."""
    most = _MOST_CHARACTERS - len(UNTAGGED)
    return UNTAGGED + (view if len(view) <= most else f"…{view[1 - most :]}")


def untagged_since(moment: float, *, using: str) -> list[str]:
    """Views, as far as they are noted, whose page lacked the tag since then (epoch seconds)."""
    beats = Heartbeat.objects.using(using).filter(pk__startswith=UNTAGGED, seen_at__gte=moment)
    return [name.removeprefix(UNTAGGED) for name in beats.order_by("pk").values_list("pk", flat=True)]
