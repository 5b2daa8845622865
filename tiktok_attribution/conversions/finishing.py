"""Finish events that their own process did not finish: it was killed, or it is a command without a transaction.

Each event is built again from its object as it is now. The visitor and the page stay as they were recorded, because
only the visitor's own request knew them.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from tiktok_attribution import conf
from tiktok_attribution.consent.types import Consent, Decision, Reason
from tiktok_attribution.conversions.building import conversion_of, object_of
from tiktok_attribution.conversions.event_source import Built, EventSource
from tiktok_attribution.conversions.objects import source_of
from tiktok_attribution.conversions.recorded import fill, wake_workers
from tiktok_attribution.delivery import outbox
from tiktok_attribution.delivery.clock import DatabaseNow, database_time
from tiktok_attribution.delivery.outbox import forget, outbox_databases
from tiktok_attribution.delivery.suppressed import count_suppressed
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.wire import event_of_text
from tiktok_attribution.failures import report
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.snapshot import Signals

logger = logging.getLogger("tiktok_attribution")

AFTER_SECONDS = 60.0
"""An event is finished after so many seconds. This is longer than a request that saves an order and its lines. It is
much less than the 5 minutes in which TikTok merges both channels. The database's clock wrote `unfinished_since`."""
MOST = 500
"""Most events of one round: each means one object to read and one event to build."""


@errors_without_values
def finish_everywhere(*, now: float | None = None, after_seconds: float = AFTER_SECONDS) -> int:
    """Finish what was left unfinished for so long, in every database. Return how many. An error in one is logged."""
    if not conf.current().enabled:
        return 0
    return sum(_finish_left(using, now, after_seconds) for using in outbox_databases())


def _finish_left(using: str, now: float | None, after_seconds: float) -> int:
    try:
        before = (database_time(using) if now is None else now) - after_seconds
        rows = outbox.left_behind(using=using, before=before, most=MOST)
        for row in rows:
            _finish(row, using)
    except Exception as error:
        report(error, "unfinished events in database %r wait for the next round", using)
        return 0
    return len(rows)


def _finish(row: OutboxEvent, using: str) -> None:
    source, built = _again(row, using)
    if source is not None and source.decision.is_denied:
        if forget(OutboxEvent.objects.using(using).still_built([row.pk]), [row.pk]):
            count_suppressed([row.pixel_code], row.name, source.decision.reason or Reason.DENIED, using=using)
        return
    if built is not None:
        fill(row, replace(built.event, name=row.name, event_id=row.event_id), built.notes)
    if outbox.finish(row, using=using, now=DatabaseNow(), rebuilt=built is not None):
        wake_workers([row], using=using)


def _again(row: OutboxEvent, using: str) -> tuple[EventSource | None, Built | None]:
    """Build the event again from its object. If the object is gone or can't be built, the event goes as it is."""
    source = None
    try:
        with protected(using):
            obj = object_of(row, using=using)
            conversion = None if obj is None else conversion_of(row, obj)
            if conversion is None:
                return None, None
            first = event_of_text(row.payload)
            decision = Decision(consent=Consent.GRANTED, limited_data_use=first.limited_data_use)
            signals = Signals(user=first.user, page=first.page, pixel_codes=(row.pixel_code,), decision=decision)
            source = source_of(conversion, obj, signals, using=using, moment=row.event_time)
            return source, None if source.decision.is_denied else source.build()
    except Exception as error:
        report(error, "%s could not be built again, so its first version is sent", row.event_id)
        return source, None
