"""Count the outbox for people and for monitoring: depth, age, rates and failures.

Each figure reads an index, so it is cheap on a table of any size. `tiktok_status` and `metrics` show the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import SLACK_SECONDS, database_time
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.repair import ahead_seconds
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, Outcome, PixelStatus, moment

HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFigures:
    """The figures of one pixel in one database. Ages in seconds; rates of the last hour; failures of the last day.

    `put_off_seconds`: how much longer than the settings allow a lane or an event would wait. It is set when the
    database's clock was ahead as that was written. The next sweep corrects it.
    """

    database: str
    pixel_code: str
    waiting: int
    due: int
    oldest_due_seconds: float
    delivered_last_hour: int
    posts_last_hour: int
    failed_posts_last_hour: int
    invalid_last_day: int
    rejected_last_day: int
    expired_last_day: int
    stopped: str
    paused_seconds: float
    put_off_seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain numbers and texts, for `tiktok_status --json`."""
        return asdict(self)


def figures(*, now: float | None = None) -> Iterator[PixelFigures]:
    """Yield the figures of every pixel that is configured or has waiting events, in every database."""
    for using in outbox_databases():
        at = database_time(using) if now is None else now
        waiting = _waiting(using, at)
        posts = _posts(using, at)
        failed = _failed(using, at)
        statuses = dict(_statuses(using, at))
        put_off = _put_off(using, at)
        for code in sorted({*conf.current().pixel_code, *waiting, *posts, *failed, *statuses, *put_off}):
            yield PixelFigures(
                database=using,
                pixel_code=code,
                **_NOTHING
                | waiting.get(code, {})
                | posts.get(code, {})
                | failed.get(code, {})
                | statuses.get(code, {})
                | put_off.get(code, {}),
            )


_NOTHING: dict[str, Any] = {
    "waiting": 0,
    "due": 0,
    "oldest_due_seconds": 0.0,
    "delivered_last_hour": 0,
    "posts_last_hour": 0,
    "failed_posts_last_hour": 0,
    "invalid_last_day": 0,
    "rejected_last_day": 0,
    "expired_last_day": 0,
    "stopped": "",
    "paused_seconds": 0.0,
    "put_off_seconds": 0.0,
}


def _waiting(using: str, now: float) -> dict[str, dict[str, Any]]:
    """Count waiting events, from the index of due events alone."""
    rows = OutboxEvent.objects.using(using).queued().values("pixel_code")
    counted = rows.annotate(
        waiting=Count("due_at"), due=Count("due_at", filter=Q(due_at__lte=now)), oldest=Min("due_at")
    )
    return {
        row["pixel_code"]: {
            "waiting": row["waiting"],
            "due": row["due"],
            "oldest_due_seconds": round(max(now - row["oldest"], 0.0), 1),
        }
        for row in counted.order_by()
    }


def _posts(using: str, now: float) -> dict[str, dict[str, Any]]:
    recent = Attempt.objects.using(using).filter(started_at__gte=moment(now - HOUR)).values("pixel_code")
    good = Q(outcome=Outcome.DELIVERED)
    counted = recent.annotate(posts=Count("pk"), failed=Count("pk", filter=~good), sent=Sum("event_count", filter=good))
    return {
        row["pixel_code"]: {
            "posts_last_hour": row["posts"],
            "failed_posts_last_hour": row["failed"],
            "delivered_last_hour": row["sent"] or 0,
        }
        for row in counted.order_by()
    }


def _failed(using: str, now: float) -> dict[str, dict[str, Any]]:
    rows = OutboxEvent.objects.using(using).failed_since(moment(now - DAY))
    found: dict[str, dict[str, Any]] = {}
    for row in rows.values("pixel_code", "state").annotate(n=Count("pk")).order_by():
        found.setdefault(row["pixel_code"], {})[f"{row['state']}_last_day"] = row["n"]
    return found


def _statuses(using: str, now: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield why a pixel makes no requests: it is stopped, TikTok asked for a pause, or TikTok does not answer."""
    longest = now + conf.current().retry_max_seconds + SLACK_SECONDS
    for status in PixelStatus.objects.using(using):
        moments = (status.paused_until, status.closed_until)
        until = max((one for one in moments if now < one <= longest), default=now)
        stopped = status.message if status.code is None else f"{status.code} {status.message}"
        if status.stopped_at or until > now:
            yield status.pk, {"stopped": stopped * bool(status.stopped_at), "paused_seconds": round(until - now, 1)}


def _put_off(using: str, now: float) -> dict[str, dict[str, Any]]:
    """Return, by pixel, how much longer than allowed its events wait because a clock was ahead."""
    due = OutboxEvent.objects.using(using).queued().values_list("pixel_code", "lane")
    latest = {(code, lane): at for code, lane, at in due.annotate(latest=Max("due_at")).order_by()}
    found: dict[str, float] = {}
    for lane in Lane.objects.using(using).all():
        seconds = ahead_seconds(lane, latest.get((lane.pixel_code, lane.number), 0.0), now=now)
        found[lane.pixel_code] = max(seconds, found.get(lane.pixel_code, 0.0))
    return {code: {"put_off_seconds": round(seconds, 1)} for code, seconds in found.items() if seconds}
