"""Lease lanes, and read the events that are due in them.

Every event belongs to one of a few lanes of its pixel. A worker leases a lane before it sends that lane's events.
`lease` takes a lane, `due_rows` reads its due events, and `Lease` notes what is being sent and gives the lane back.
Before each POST, the lane stores the keys of the attempt and of its events. If the worker dies, the next holder finds
these keys and records an attempt of unknown outcome.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, Concat

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import SLACK_SECONDS
from tiktok_attribution.delivery.event_search import by_key
from tiktok_attribution.delivery.responses import MOST_UNKNOWN_SECONDS
from tiktok_attribution.models import Attempt, EventBody, Lane, OutboxEvent, Outcome, moment

logger = logging.getLogger("tiktok_attribution")

FRAME_BYTES = 1000  # the JSON object around the events, with room to spare

CLEARED = "Its body was cleared after KEEP_PAYLOAD_DAYS, so nothing is left to send."
DOUBTFUL = "TikTok may have it: an attempt got no answer, and after 47 hours a repeat could count twice."


class Due(NamedTuple):
    """One event that is due. Times are epoch seconds."""

    pk: int
    payload: str
    attempts: int
    event_time: int
    unknown_since: float | None
    last_attempt: str = ""


def due_rows(lease: Lease, *, now: float, most: int, most_bytes: int) -> list[Due]:
    """Return the events of a lane that have been due longest: at most `most`, and as many as fit into one body."""
    rows = OutboxEvent.objects.using(lease.using).due_in(lease.pixel_code, lease.number, now=now)
    # A subquery and not a join: it runs for the selected rows only, whatever plan the database chooses.
    body = EventBody.objects.filter(pk=OuterRef("pk")).values("payload")
    # A body that was deleted by hand counts as cleared: no due event may block its lane.
    payload = Coalesce(Subquery(body), Value(""), output_field=TextField())
    columns = ("pk", payload, *Due._fields[2:])
    return _fitting([Due(*row) for row in rows.order_by("due_at").values_list(*columns)[:most]], most_bytes)


def _fitting(rows: list[Due], most_bytes: int) -> list[Due]:
    """Return the first rows whose texts fit into one body; at least one row."""
    size = FRAME_BYTES
    for position, row in enumerate(rows):
        size += len(row.payload) + 1  # the texts are ASCII, so characters are bytes
        if size > most_bytes and position:
            return rows[:position]
    return rows


def reason_to_give_up(row: Due, settings: conf.Settings, now: float) -> str:
    """Return why this event must not be sent any more, in words for the admin; "" if it may be sent."""
    if not row.payload:
        return CLEARED
    if row.event_time < now - settings.max_age_seconds:
        return f"Not delivered within {settings.max_age_days:g} days of the event."
    if row.unknown_since is not None and row.unknown_since < now - MOST_UNKNOWN_SECONDS:
        return DOUBTFUL
    return ""


UNKNOWN_FATE = "The worker ended before it saw an answer, so TikTok may have these events. They are sent again."


class LeaseLost(Exception):
    """Another worker holds this lane now, so this worker must not change its events."""


@dataclass(slots=True)
class Lease:
    """A lane that this worker has leased."""

    using: str
    pixel_code: str
    number: int
    lane_pk: int
    holder: str
    on_its_way: bool = False  # a POST has begun and its result is not stored yet
    next_at: float = 0.0  # epoch seconds from which the rate limit lets this lane send again
    suspects: int = 0  # the number of the longest-due events among which TikTok refuses at least one
    batch_limit: int = 0  # events of the next POST; 0 for as many as the settings say

    def take(
        self, attempt_pk: str, event_pks: Sequence[int], *, now: float, seconds: float, per_second: float = 0
    ) -> None:
        """Note the next batch as `note` does, and set `on_its_way`. Raises LeaseLost."""
        if not self.note(attempt_pk, event_pks, now=now, seconds=seconds, per_second=per_second):
            self._lost()
        self.on_its_way = True

    def note(
        self, attempt_pk: str, event_pks: Sequence[int], *, now: float, seconds: float, per_second: float = 0
    ) -> bool:
        """Store the keys of the next batch and of its attempt in the lane, and renew the lease.

        Returns False if the lease is lost. `per_second` is the lane's share of the pixel's rate limit, 0 for no
        limit. The same UPDATE books that share: it moves the moment from which the lane may send again.
        """
        noted = f"{attempt_pk}:{','.join(map(str, event_pks))}"
        self.next_at = max(self.next_at, now) + (len(event_pks) / per_second if per_second else 0.0)
        renewed = {"leased_until": now + seconds, "next_at": self.next_at}
        return bool(self._lane().update(in_flight=noted, in_flight_since=now, **renewed))

    @property
    def is_leased(self) -> Exists:
        """A condition for the UPDATE that stores results, so that the check needs no statement of its own."""
        return Exists(self._lane())

    def check(self) -> None:
        """Check that this worker still holds the lane. Raises LeaseLost."""
        if not self._lane().exists():
            self._lost()

    def release(self) -> None:
        """Give the lane back if it is still leased. Events that are on their way stay noted for the next holder."""
        if not self.on_its_way:
            free = {"holder": "", "leased_until": 0, "in_flight": "", "in_flight_since": None}
            self._lane().update(**free, suspects=self.suspects, batch_limit=self.batch_limit)

    def _lane(self) -> QuerySet[Lane]:
        return Lane.objects.using(self.using).filter(pk=self.lane_pk, holder=self.holder)

    def _lost(self) -> NoReturn:
        raise LeaseLost(f"lane {self.pixel_code}/{self.number} is another worker's now")


def pixels_with_work(using: str) -> Iterator[str]:
    """Yield the pixels that have a waiting event, by one index lookup for each pixel."""
    code = ""
    while True:
        rows = OutboxEvent.objects.using(using).queued().filter(pixel_code__gt=code)
        found = rows.order_by("pixel_code").values_list("pixel_code", flat=True).first()
        if found is None:
            return
        code = found
        yield code


def lanes_with_work(using: str, pixel_code: str, now: float) -> Iterator[int]:
    """Yield the pixel's lanes that have a due event, by one index lookup for each lane."""
    number = -1
    while True:
        rows = OutboxEvent.objects.using(using).queued(pixel_code).filter(lane__gt=number)
        found = rows.order_by("lane").values_list("lane", flat=True).first()
        if found is None:
            return
        number = found
        if has_work(using, pixel_code, number, now):
            yield number


def has_work(using: str, pixel_code: str, number: int, now: float) -> bool:
    """Return True if an event of this lane is due."""
    return OutboxEvent.objects.using(using).due_in(pixel_code, number, now=now).exists()


# Decision: lanes instead of a lease for each row. One conditional UPDATE leases a lane. Due rows are read without a
# lock. They are updated on the condition that the lane is still leased, so a late worker changes nothing. Each row is
# written once for each delivery, not twice (claimed, then updated). It works alike on every database, because it needs
# no SKIP LOCKED.
def lease(
    using: str, pixel_code: str, number: int, *, now: float, seconds: float, most_pace_seconds: float = SLACK_SECONDS
) -> Lease | None:
    """Lease a lane, or return None while another worker holds it. Record what a dead holder had on its way.

    No lease may end later than `seconds` from now, and no pace later than `most_pace_seconds`: only a wrong clock
    writes such a moment. Such a lease is cut to `seconds` and not taken over, because its holder may have a POST on
    its way.
    """
    lanes = Lane.objects.using(using)
    lane, _ = lanes.get_or_create(pixel_code=pixel_code, number=number)
    if lane.leased_until > now:
        if lane.leased_until > now + seconds + SLACK_SECONDS:
            ahead = lane.leased_until - now
            logger.warning("tiktok: lane %s was leased for %.0f s; cut to %.0f s", lane, ahead, seconds)
            lanes.filter(pk=lane.pk, holder=lane.holder).update(leased_until=now + seconds)
        return None
    holder = secrets.token_urlsafe(16)
    with transaction.atomic(using=using):
        free = lanes.filter(pk=lane.pk, holder=lane.holder, leased_until__lte=now)
        if not free.update(holder=holder, leased_until=now + seconds, in_flight="", in_flight_since=None):
            return None
        if lane.in_flight:
            _note_unknown_fate(using, lane, now)
    return Lease(
        using=using,
        pixel_code=pixel_code,
        number=number,
        lane_pk=lane.pk,
        holder=holder,
        next_at=min(lane.next_at, now + most_pace_seconds),
        suspects=lane.suspects,
        batch_limit=lane.batch_limit,
    )


def _note_unknown_fate(using: str, lane: Lane, now: float) -> None:
    """Record the attempt of a dead worker, on its events too: TikTok may or may not have received them."""
    attempt_pk, _, noted = lane.in_flight.partition(":")
    if Attempt.objects.using(using).filter(pk=attempt_pk).exists():
        return  # its result was stored; only the lane was not given back
    pks = [int(pk) for pk in noted.split(",")]
    since = min(lane.in_flight_since or 0.0, now)
    by_key(pks, using=using).filter(due_at__isnull=False).update(
        unknown_since=Coalesce("unknown_since", Value(since)),
        attempts=F("attempts") + 1,
        attempt_log=Concat("attempt_log", Value(f"{attempt_pk},")),
        last_attempt=attempt_pk,
    )
    Attempt.objects.using(using).create(
        id=attempt_pk,
        pixel_code=lane.pixel_code,
        started_at=moment(since),
        event_count=len(pks),
        outcome=Outcome.UNKNOWN,
        message=UNKNOWN_FATE,
        first_event=min(pks),
        last_event=max(pks),
    )
