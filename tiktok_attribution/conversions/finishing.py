"""Finishes events that their own process did not finish: it was killed, or it is a command without a transaction.

Each is built again of its object as it stands by now. Who it was and on which page stays as it was recorded: only the
visitor's own request knew that.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from tiktok_attribution import conf
from tiktok_attribution.consent.decision import Consent, Decision, Reason
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
"""Longer than a request takes that saves an order and its lines, and much less than the 5 minutes within which TikTok
merges both channels. By the database's clock, which has written since when they are unfinished."""
MOST = 500
"""Of one round: each is an object to read and an event to build."""


@errors_without_values
def finish_everywhere(*, now: float | None = None, after_seconds: float = AFTER_SECONDS) -> int:
    """Finish what was left unfinished for so long, in every database. Returns how many; raises nothing of one."""
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
    """As its object stands now; nothing where that is gone, or can't be built: then the event goes as it is."""
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
