"""What is wrong with each pixel now: a few looks at indexes and at the counted hours, whatever lies in the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import QuerySet, Sum

from tiktok_attribution import conf
from tiktok_attribution.delivery.lanes import pixels_with_work
from tiktok_attribution.models import Alert, AlertKind, HourlyStatistics, OutboxEvent, PixelStatus

DAY = 86_400
ENOUGH = 20
"""Settled events from which a share is read: the newest hours that hold so many, or the day where it holds fewer."""
FEW = 3
"""Failed events that are no trouble yet, whatever their share, are fewer than these."""
WELL = 0.5
"""Late and failing events are well again below this part of what made the notice; between the two nothing is told."""


DOWN_AFTER = 12
"""Requests in a row without an answer; with the breaker's growing pauses about ten minutes of them."""


class Seen(NamedTuple):
    """`is_there`: None where it can't be told now, so it stays as it was. `figure` is that of `Notice`."""

    pixel_code: str
    alert_kind: AlertKind
    is_there: bool | None
    figure: int | None = None


def seen(*, using: str, now: float) -> Iterator[Seen]:
    """Every trouble of every pixel that is configured, has something waiting, or has a notice."""
    settings = conf.current()
    stopped = dict(_statuses(using).filter(stopped_at__isnull=False).values_list("pixel_code", "code"))
    failures = dict(_statuses(using).filter(failures__gt=0).values_list("pixel_code", "failures"))
    open_ones = Alert.objects.using(using).filter(is_open=True).values_list("pixel_code", flat=True)
    shares = failing_shares(using=using, now=now)
    for code in sorted({*settings.pixel_code, *stopped, *failures, *pixels_with_work(using), *open_ones} - {""}):
        yield Seen(code, AlertKind.STOPPED, code in stopped, stopped.get(code))
        unanswered = failures.get(code, 0)
        is_down = None if 0 < unanswered < DOWN_AFTER else unanswered > 0
        yield Seen(code, AlertKind.DOWN, is_down, unanswered)
        # A stopped pixel's events get old too, which is no news.
        age = None if code in stopped else oldest_due_seconds(code, using=using, now=now)
        yield Seen(code, AlertKind.LATE, _beyond(age, settings.alert_delay_seconds), int((age or 0) // 60))
        if settings.failure_percent:
            percent = shares.get(code, 0.0)
            yield Seen(code, AlertKind.FAILING, _beyond(percent, settings.failure_percent), round(percent))


def _statuses(using: str) -> QuerySet[PixelStatus]:
    return PixelStatus.objects.using(using)


def _beyond(figure: float | None, limit: float) -> bool | None:
    if figure is None or limit * WELL < figure < limit:
        return None
    return figure >= limit


def oldest_due_seconds(pixel_code: str, *, using: str, now: float) -> float:
    """How long its oldest due event has been due, 0 for none: one look at the index a lane."""
    oldest, lane = now, -1
    while True:
        rows = OutboxEvent.objects.using(using).filter(pixel_code=pixel_code, due_at__isnull=False, lane__gt=lane)
        found = rows.order_by("lane", "due_at").values_list("lane", "due_at").first()
        if found is None:
            return now - oldest
        lane, oldest = found[0], min(oldest, found[1] or now)


def failing_shares(*, using: str, now: float) -> dict[str, float]:
    """By pixel, the per cent of its newest settled events that are invalid, rejected or expired."""
    tallies = HourlyStatistics.objects.using(using).filter(hour__gte=int(now) - DAY).values("pixel_code", "hour")
    sums = tallies.annotate(
        good=Sum("delivered"), invalid=Sum("invalid"), rejected=Sum("rejected"), expired=Sum("expired")
    )
    counts: dict[str, tuple[int, int]] = {}
    for hour in sums.order_by("-hour"):
        good, bad = counts.get(hour["pixel_code"], (0, 0))
        if good + bad < ENOUGH:
            more = hour["invalid"] + hour["rejected"] + hour["expired"]
            counts[hour["pixel_code"]] = good + hour["good"], bad + more
    return {code: 100 * bad / (good + bad) for code, (good, bad) in counts.items() if bad >= FEW}
