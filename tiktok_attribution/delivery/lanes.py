"""Leases over lanes: who may send which rows.

Every event belongs to one of a few lanes of its pixel. A worker leases a lane with one conditional UPDATE, reads its
due rows without a lock, and marks them by an UPDATE whose condition is that it still holds the lane. So a row is
written once, not twice (claimed, then marked), and a worker that wakes up late can't undo another's marks.

Before a POST the keys of its attempt and its rows stand in the lane. If the worker dies, whoever takes the lane over
finds them there, and records that an attempt of unknown fate was made.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from django.db import transaction
from django.db.models import Exists, F, QuerySet, Value
from django.db.models.functions import Coalesce, Concat

from tiktok_attribution.delivery.by_key import by_key
from tiktok_attribution.delivery.clock import SLACK_SECONDS
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, Outcome, State, moment

logger = logging.getLogger("tiktok_attribution")

UNKNOWN_FATE = "The worker ended before it saw an answer, so TikTok may have these events. They are sent again."


class LeaseLost(Exception):
    """Another worker holds this lane now; nothing may be marked."""


@dataclass(slots=True)
class Lease:
    """A held lane."""

    using: str
    pixel_code: str
    number: int
    lane_pk: int
    holder: str
    on_its_way: bool = False  # a POST has begun, and what became of it is not marked
    next_at: float = 0.0  # epoch seconds from which the rate limit lets this lane send again
    suspects: int = 0  # so many of the rows that are due longest hold one that TikTok refuses
    batch_limit: int = 0  # rows of the next POST, 0 for as many as the settings say

    def take(
        self, attempt_pk: str, event_pks: Sequence[int], *, now: float, seconds: float, per_second: float = 0
    ) -> None:
        """As `note`, and it is on its way from now on. Raises LeaseLost."""
        if not self.note(attempt_pk, event_pks, now=now, seconds=seconds, per_second=per_second):
            self._lost()
        self.on_its_way = True

    def note(
        self, attempt_pk: str, event_pks: Sequence[int], *, now: float, seconds: float, per_second: float = 0
    ) -> bool:
        """Note what is to go next, and the key that its attempt will have, and renew. False if the lease is lost.

        `per_second` is the lane's share of the pixel's rate limit, 0 for none; the lane keeps when it may send again.
        """
        noted = f"{attempt_pk}:{','.join(map(str, event_pks))}"
        self.next_at = max(self.next_at, now) + (len(event_pks) / per_second if per_second else 0.0)
        renewed = {"leased_until": now + seconds, "next_at": self.next_at}
        return bool(self._lane().update(in_flight=noted, in_flight_since=now, **renewed))

    @property
    def is_leased(self) -> Exists:
        """As a condition of the UPDATE that marks rows, so that the check costs no statement of its own."""
        return Exists(self._lane())

    def check(self) -> None:
        """Raises LeaseLost."""
        if not self._lane().exists():
            self._lost()

    def release(self) -> None:
        """Give the lane back, if it is still held. What is on its way stays noted, for the next holder."""
        if not self.on_its_way:
            free = {"holder": "", "leased_until": 0, "in_flight": "", "in_flight_since": None}
            self._lane().update(**free, suspects=self.suspects, batch_limit=self.batch_limit)

    def _lane(self) -> QuerySet[Lane]:
        return Lane.objects.using(self.using).filter(pk=self.lane_pk, holder=self.holder)

    def _lost(self) -> NoReturn:
        raise LeaseLost(f"lane {self.pixel_code}/{self.number} is another worker's now")


def pixels_with_work(using: str) -> Iterator[str]:
    """Pixels that have a waiting row, by hops over the index."""
    code = ""
    while True:
        rows = OutboxEvent.objects.using(using).filter(due_at__isnull=False, pixel_code__gt=code)
        found = rows.order_by("pixel_code").values_list("pixel_code", flat=True).first()
        if found is None:
            return
        code = found
        yield code


def lanes_with_work(using: str, pixel_code: str, now: float) -> Iterator[int]:
    """Lanes of this pixel that have a due row, by hops over the index: its cost is one look a lane."""
    number = -1
    while True:
        rows = OutboxEvent.objects.using(using).filter(pixel_code=pixel_code, due_at__isnull=False, lane__gt=number)
        found = rows.order_by("lane").values_list("lane", flat=True).first()
        if found is None:
            return
        number = found
        if has_work(using, pixel_code, number, now):
            yield number


def has_work(using: str, pixel_code: str, number: int, now: float) -> bool:
    """True when a row of this lane is due."""
    rows = OutboxEvent.objects.using(using).filter(pixel_code=pixel_code, lane=number, due_at__lte=now)
    return rows.filter(state=State.WAITING).exists()


def lease(
    using: str, pixel_code: str, number: int, *, now: float, seconds: float, most_pace_seconds: float = SLACK_SECONDS
) -> Lease | None:
    """Lease a lane, or None while another worker holds it. Settles what a dead holder left on its way.

    No lease may end further ahead than `seconds`, and no pace than `most_pace_seconds`: a clock that was wrong has
    written that. Such a lease is cut to `seconds` and not taken over, for its holder may have a POST on its way.
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
    """Record the attempt that a dead worker made, on its rows too: TikTok may or may not have them."""
    attempt_pk, _, noted = lane.in_flight.partition(":")
    if Attempt.objects.using(using).filter(pk=attempt_pk).exists():
        return  # what became of it was marked; only the lane was not given back
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
