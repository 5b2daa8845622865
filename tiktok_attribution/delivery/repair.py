"""Repair what a wrong clock has written: moments that lie further ahead than any setting allows.

Delivery uses the database's clock. If that clock was ahead and was set back, lanes stay leased and events are not due
until the wrong moment comes. `repair_everywhere` takes such moments back.
"""

from __future__ import annotations

import logging

from django.db import Error as DatabaseError
from django.db.models import F
from django.db.models.functions import Least

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import SLACK_SECONDS, database_time
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.post import lease_seconds, most_pace_seconds
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Lane, OutboxEvent

logger = logging.getLogger("tiktok_attribution")


def repair_everywhere() -> None:
    """Repair every database, as the sweep and the loop do in each round. Raises no database error."""
    for using in outbox_databases():
        try:
            repair(using, now=database_time(using))
        except DatabaseError as error:
            logger.warning("tiktok: moments in database %r could not be looked at (%s)", using, describe(error))


@errors_without_values
def repair(using: str, *, now: float) -> int:
    """Make due what a clock that was ahead has delayed. Return in how many lanes. Writes only where it must."""
    return sum(_repair(lane, using, now) for lane in Lane.objects.using(using).all())


def ahead_seconds(lane: Lane, latest_due: float, *, now: float) -> float:
    """Return how many seconds further ahead than the settings allow a lane or its latest event lies; 0 if none."""
    settings = conf.current()
    beyond = max(
        lane.next_at - most_pace_seconds(settings),
        lane.leased_until - lease_seconds(settings),
        latest_due - settings.retry_max_seconds,
    )
    return beyond - now if beyond > now + SLACK_SECONDS else 0.0


def _repair(lane: Lane, using: str, now: float) -> bool:
    settings = conf.current()
    pace, lease = now + most_pace_seconds(settings), now + lease_seconds(settings)
    rows = OutboxEvent.objects.using(using).in_lane(lane.pixel_code, lane.number)
    latest = rows.queued().order_by("-due_at").values_list("due_at", flat=True).first()
    if not ahead_seconds(lane, latest or 0.0, now=now):
        return False
    # Nothing says how long events that were tried in the meantime had to wait. They are tried now, once too early.
    later = rows.filter(due_at__gt=now)
    # An attempt of unknown outcome was made before now. From 47 hours after it, a repeat could count twice.
    later.filter(unknown_since__gt=now).update(unknown_since=now)
    count = later.update(due_at=now)
    Lane.objects.using(using).filter(pk=lane.pk, holder=lane.holder).update(
        next_at=Least(F("next_at"), pace), leased_until=Least(F("leased_until"), lease)
    )
    logger.warning(
        "tiktok: the database's clock was ahead and has been set back; %d events of lane %s are due now", count, lane
    )
    return True
