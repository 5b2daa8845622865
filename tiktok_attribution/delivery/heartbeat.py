"""Signs of life of what runs by itself, and turns that one process takes at a time."""

from __future__ import annotations

import logging

from django.db import Error as DatabaseTrouble

from tiktok_attribution.failures import describe
from tiktok_attribution.models import Heartbeat

logger = logging.getLogger("tiktok_attribution")

WORKER, SWEEP, LOOP = "worker", "sweep", "deliver-loop"
EVERY_SECONDS = 60.0


def beat(name: str, *, using: str, now: float, every: float = EVERY_SECONDS) -> bool:
    """Note that `name` is alive, at most once in `every` seconds. True for the one caller that noted it.

    It looks before it writes, and outside of a transaction: an UPDATE takes SQLite's write lock even where no row
    fits, and `tiktok_deliver --loop` comes here three times a round. Raises nothing: a sign of life is not worth a
    delivery.
    """
    try:
        last = seen_at(name, using=using)
        if last is None:
            return Heartbeat.objects.using(using).get_or_create(pk=name, defaults={"seen_at": now})[1]
        if last > now - every:
            return False
        return bool(Heartbeat.objects.using(using).filter(pk=name, seen_at__lte=now - every).update(seen_at=now))
    except DatabaseTrouble as error:
        logger.warning("tiktok: no sign of life was noted (%s)", describe(error))
        return False


def seen_at(name: str, *, using: str) -> float | None:
    """Epoch seconds of the last sign of life; None where there never was one."""
    return Heartbeat.objects.using(using).filter(pk=name).values_list("seen_at", flat=True).first()
