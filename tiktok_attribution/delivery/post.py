"""One POST of a batch: noted in the lane before it, an attempt and a verdict after it."""

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
    """Never shorter than a POST may take, or a slow answer would cost the lease."""
    return max(settings.lease_seconds, 3 * settings.timeout_seconds)


def most_pace_seconds(settings: conf.Settings) -> float:
    """The longest that the rate limit makes a lane wait: after a POST of a second's share, or of one event."""
    return max(1.0, settings.lanes / settings.events_per_second) if settings.events_per_second else 0.0


class Poster(Protocol):
    """What `client.Client` does."""

    def post(self, token: str, body: bytes) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendContext:
    """What sending needs, the same for every lane of a pixel in one run. `clock` gives epoch seconds."""

    client: Poster
    settings: conf.Settings
    token: str = field(repr=False)
    clock: Callable[[], float] = time.time
    stopping: Callable[[], bool] = lambda: False
    breaker: Breaker | None = None

    @property
    def lane_per_second(self) -> float:
        """A lane's share of the rate limit: as a lane has one sender, the workers need not ask each other. 0: none."""
        return self.settings.events_per_second / self.settings.lanes

    @property
    def most_events(self) -> int:
        """Of one POST: a second's share of the lane at most, and one while the breaker is probing."""
        if self.breaker is not None and self.breaker.is_probing:
            return 1
        share = self.lane_per_second
        return min(self.settings.batch_size, max(1, int(share))) if share else self.settings.batch_size

    @property
    def lease_seconds(self) -> float:
        """How long a lane is leased for one POST."""
        return lease_seconds(self.settings)


class Batch(NamedTuple):
    """Rows that stand in their lane as on their way: since when, and under the key of which attempt."""

    at: float
    attempt_pk: str
    rows: Sequence[Due]


class Sent(NamedTuple):
    """One POST: when it began, its record (not saved yet), its answer, and what that means."""

    at: float
    attempt: Attempt
    answer: Answer
    verdict: Verdict


def take(lease: Lease, rows: Sequence[Due], context: SendContext) -> Batch:
    """Note these rows in their lane. Raises LeaseLost."""
    batch = Batch(context.clock(), secrets.token_urlsafe(16), rows)
    lease.take(*_noted(batch), now=batch.at, seconds=context.lease_seconds, per_second=context.lane_per_second)
    return batch


def take_ahead(lease: Lease, rows: Sequence[Due], context: SendContext) -> Batch | None:
    """The same inside the transaction that marks the batch before it: nothing is on its way until that commits. None
    if the lease is lost, which is no reason to take the marks back."""
    batch = Batch(context.clock(), secrets.token_urlsafe(16), rows)
    is_noted = lease.note(
        *_noted(batch), now=batch.at, seconds=context.lease_seconds, per_second=context.lane_per_second
    )
    return batch if is_noted else None


def _noted(batch: Batch) -> tuple[str, list[int]]:
    return batch.attempt_pk, [row.pk for row in batch.rows]


def post(lease: Lease, batch: Batch, context: SendContext) -> Sent:
    """Send what was taken."""
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
