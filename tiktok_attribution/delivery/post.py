"""Send one POST: note the batch in its lane before it, build an attempt and a verdict after it.

`take` or `take_ahead` notes the batch, and `post` sends it. `SendContext` holds what a sender needs. `results` then
stores the attempt and what became of the events.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tiktok_attribution import conf
from tiktok_attribution.delivery.lanes import Due, Lease
from tiktok_attribution.delivery.pixels import Breaker
from tiktok_attribution.delivery.responses import Answer, Verdict, judge
from tiktok_attribution.events.wire import request_body
from tiktok_attribution.models import Attempt, moment


def lease_seconds(settings: conf.Settings) -> float:
    """Return how long a lane is leased: longer than a POST may take, so that a slow answer does not end the lease."""
    return max(settings.lease_seconds, 3 * settings.timeout_seconds)


def most_pace_seconds(settings: conf.Settings) -> float:
    """Return the longest wait that the rate limit gives a lane: after a second's share, or after one event."""
    return max(1.0, settings.lanes / settings.events_per_second) if settings.events_per_second else 0.0


class Poster(Protocol):
    """The interface of `client.Client` that a sender uses."""

    def post(self, token: str, body: bytes) -> Answer: ...


# Decision: the workers share TikTok's rate limit without a counter that all of them write. Each lane has one sender at
# a time and gets its share of EVENTS_PER_SECOND. The lane keeps that pace: the share is booked in the same UPDATE that
# notes a batch (`Lease.note`).
@dataclass(frozen=True, slots=True, kw_only=True)
class SendContext:
    """What a sender needs, the same for every lane of a pixel in one run. `clock` returns epoch seconds."""

    client: Poster
    settings: conf.Settings
    token: str = field(repr=False)
    clock: Callable[[], float] = time.time
    stopping: Callable[[], bool] = lambda: False
    breaker: Breaker | None = None

    @property
    def lane_per_second(self) -> float:
        """Return a lane's share of the rate limit, in events per second; 0 for no limit."""
        return self.settings.events_per_second / self.settings.lanes

    @property
    def most_events(self) -> int:
        """Return the most events of one POST: a second's share of the lane, or one while the breaker is probing."""
        if self.breaker is not None and self.breaker.is_probing:
            return 1
        share = self.lane_per_second
        return min(self.settings.batch_size, max(1, int(share))) if share else self.settings.batch_size

    @property
    def lease_seconds(self) -> float:
        """Return how long a lane is leased for one POST."""
        return lease_seconds(self.settings)


class Batch(NamedTuple):
    """Events that are noted in their lane as on their way: since when, and with the key of which attempt."""

    at: float
    attempt_pk: str
    rows: Sequence[Due]


class Sent(NamedTuple):
    """One POST: when it began, its attempt (not saved yet), the answer, and the verdict on it."""

    at: float
    attempt: Attempt
    answer: Answer
    verdict: Verdict


def take(lease: Lease, rows: Sequence[Due], context: SendContext) -> Batch:
    """Note these events in their lane as on their way. Raises LeaseLost."""
    batch = Batch(context.clock(), secrets.token_urlsafe(16), rows)
    lease.take(*_noted(batch), now=batch.at, seconds=context.lease_seconds, per_second=context.lane_per_second)
    return batch


def take_ahead(lease: Lease, rows: Sequence[Due], context: SendContext) -> Batch | None:
    """Note the next batch inside the transaction that stores the results of the batch before it.

    Nothing is on its way until that transaction commits. Returns None if the lease is lost; the results still hold.
    """
    batch = Batch(context.clock(), secrets.token_urlsafe(16), rows)
    is_noted = lease.note(
        *_noted(batch), now=batch.at, seconds=context.lease_seconds, per_second=context.lane_per_second
    )
    return batch if is_noted else None


def _noted(batch: Batch) -> tuple[str, list[int]]:
    return batch.attempt_pk, [row.pk for row in batch.rows]


def post(lease: Lease, batch: Batch, context: SendContext) -> Sent:
    """Send a noted batch, and return its answer and verdict."""
    rows, pks = batch.rows, [row.pk for row in batch.rows]
    body = request_body(lease.pixel_code, [row.payload for row in rows], context.settings.sent_test_code)
    answer = context.client.post(context.token, body)
    verdict = judge(answer)
    attempt = Attempt(
        id=batch.attempt_pk,
        pixel_code=lease.pixel_code,
        started_at=moment(batch.at),
        duration_seconds=round(answer.duration_seconds, 4),
        event_count=len(rows),
        outcome=verdict.outcome,
        http_status=answer.http_status,
        code=answer.code,
        message=answer.words,
        request_id=answer.request_id,
        first_event=min(pks),
        last_event=max(pks),
    )
    return Sent(batch.at, attempt, answer, verdict)
