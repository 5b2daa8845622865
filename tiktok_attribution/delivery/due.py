"""The rows that are due in a lane: read without a lock, as the lane is leased."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.functions import Coalesce

from tiktok_attribution import conf
from tiktok_attribution.delivery.backoff import MOST_UNKNOWN_SECONDS
from tiktok_attribution.delivery.lanes import Lease
from tiktok_attribution.models import EventBody, OutboxEvent, State

FRAME_BYTES = 1000  # the root object around the events, with room to spare

CLEARED = "Its body was cleared after KEEP_PAYLOAD_DAYS, so nothing is left to send."
DOUBTFUL = "TikTok may have it: an attempt got no answer, and after 47 hours a repeat could count twice."


class Due(NamedTuple):
    """A row that is due. Times are epoch seconds."""

    pk: int
    payload: str
    attempts: int
    event_time: int
    unknown_since: float | None
    last_attempt: str = ""


def due_rows(lease: Lease, *, now: float, most: int, most_bytes: int) -> list[Due]:
    """The rows that are due longest: at most so many, and as many as fit into one body."""
    rows = OutboxEvent.objects.using(lease.using).filter(
        pixel_code=lease.pixel_code, lane=lease.number, due_at__lte=now, state=State.WAITING
    )
    # A subquery and not a join: it is asked of the rows that are taken, whatever the planner thinks of the tables.
    body = EventBody.objects.filter(pk=OuterRef("pk")).values("payload")
    # One that was deleted by hand counts as cleared: nothing that is due may stop its lane.
    payload = Coalesce(Subquery(body), Value(""), output_field=TextField())
    columns = ("pk", payload, *Due._fields[2:])
    return _fitting([Due(*row) for row in rows.order_by("due_at").values_list(*columns)[:most]], most_bytes)


def _fitting(rows: list[Due], most_bytes: int) -> list[Due]:
    """The first rows whose texts fit into one body; one at least."""
    size = FRAME_BYTES
    for position, row in enumerate(rows):
        size += len(row.payload) + 1  # the texts are ASCII: characters are bytes
        if size > most_bytes and position:
            return rows[:position]
    return rows


def reason_to_give_up(row: Due, settings: conf.Settings, now: float) -> str:
    """Why this row must not be sent any more, for the admin; "" where it may."""
    if not row.payload:
        return CLEARED
    if row.event_time < now - settings.max_age_seconds:
        return f"Not delivered within {settings.max_age_days:g} days of the event."
    if row.unknown_since is not None and row.unknown_since < now - MOST_UNKNOWN_SECONDS:
        return DOUBTFUL
    return ""
