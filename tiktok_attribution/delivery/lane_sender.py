"""Send the events of one leased lane: read what is due, POST it, and act on the verdict.

It goes on until nothing is due, the rate limit or TikTok requires a pause, or the process must stop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum

from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.lanes import Due, Lease, due_rows, has_work, reason_to_give_up
from tiktok_attribution.delivery.pixels import is_down
from tiktok_attribution.delivery.post import Batch, SendContext, Sent, post, take, take_ahead
from tiktok_attribution.delivery.responses import NOT_HASHED, delay_seconds, indicated_events, named_events, names_field
from tiktok_attribution.delivery.results import Counts, Results
from tiktok_attribution.models import Attempt, Outcome


class End(Enum):
    """Why the sending of a lane ended."""

    EMPTY = "nothing is due"
    PAUSED = "what was sent last is tried again later"
    PACED = "the rate limit wants a pause"
    PIXEL_PAUSED = "the pixel's other lanes must wait too"
    STOPPED = "this process ends, or its turn does"


# Decision: a refused batch is narrowed down by the index in TikTok's message, or by halving, at the pace of the rate
# limit. The lane stores how many of its longest-due events are suspects. No event is rejected that was not refused
# alone, and twice where the refusal names no field. One bad event among 1000 costs at most 13 requests.
class LaneSender:
    """Send one lane while its lease is held. Raises LeaseLost.

    A refused batch is searched by halving. `lease.suspects` is the number of longest-due events among which TikTok
    refuses at least one, and each POST takes half of them. So every POST of the search keeps the pace, and the search
    can go on in a later turn.
    """

    def __init__(self, lease: Lease, context: SendContext, counts: Counts) -> None:
        self._lease = lease
        self._context = context
        self._counts = counts
        self._results = Results(lease, context, counts)
        self._most = context.settings.batch_size  # reduced for the whole run when TikTok finds a batch too big
        self._is_searched = False  # a second search in one run: there may be many bad events
        self._prime: Due | None = None  # named by a message in a form that TikTok was never seen to use
        self._ahead: Batch | None = None
        self._is_empty = False

    def run(self) -> End:
        """Send until nothing is due, TikTok requires a pause, or this process must stop. Return why it ended."""
        while not self._context.stopping():
            batch, self._ahead = self._ahead, None
            if batch is None:
                if self._is_paced():
                    return End.PACED if self._has_work() else End.EMPTY
                rows = self._next()
                if not rows:
                    self._lease.suspects = 0
                    return End.EMPTY
                fresh = self._without_the_hopeless(rows)
                if not fresh:
                    continue
                batch = take(self._lease, fresh, self._context)
            end = self._send(batch)
            if end is not None or self._is_empty:
                return end or End.EMPTY
        if self._ahead is not None:
            self._lease.on_its_way = False  # it was noted as the next batch, and is not sent
        return End.STOPPED

    def _is_paced(self) -> bool:
        return self._lease.next_at > self._context.clock()

    def _next(self) -> list[Due]:
        """Return the next events: the prime suspect alone, half of the suspects, or as many as the limits allow."""
        if self._prime is not None:
            prime, self._prime = self._prime, None
            return [prime]
        lease, context, now = self._lease, self._context, self._context.clock()
        limits = (self._most, context.most_events, lease.batch_limit or self._most, lease.suspects // 2 or self._most)
        most = 1 if lease.suspects == 1 else min(limits)
        return due_rows(lease, now=now, most=most, most_bytes=context.settings.batch_bytes)

    def _take_ahead(self) -> bool:
        """Note the next batch in the transaction that stores the last results: one commit a batch instead of two."""
        if self._context.stopping() or self._is_paced():
            return False
        rows, now = self._next(), self._context.clock()
        self._is_empty = not rows
        if rows and not any(reason_to_give_up(row, self._context.settings, now) for row in rows):
            self._ahead = take_ahead(self._lease, rows, self._context)
        return self._ahead is not None

    def _has_work(self) -> bool:
        lease = self._lease
        return has_work(lease.using, lease.pixel_code, lease.number, self._context.clock())

    def _without_the_hopeless(self, rows: Sequence[Due]) -> list[Due]:
        now, settings = self._context.clock(), self._context.settings
        by_reason: dict[str, list[Due]] = defaultdict(list)
        for row in rows:
            by_reason[reason_to_give_up(row, settings, now)].append(row)
        fresh = by_reason.pop("", [])
        for reason, hopeless in by_reason.items():
            self._results.given_up(hopeless, reason)
        return fresh

    def _send(self, batch: Batch) -> End | None:
        """Send one batch and act on the verdict. Return None while the lane may go on."""
        sent, rows = self._post(batch), batch.rows
        match sent.verdict.outcome:
            case Outcome.DELIVERED:
                self._lease.suspects = max(self._lease.suspects - len(rows), 0)
                if not self._lease.suspects and self._lease.batch_limit:
                    doubled = 2 * self._lease.batch_limit
                    self._lease.batch_limit = doubled if doubled < self._most else 0
                self._results.delivered(sent, rows, then=self._take_ahead)
            case Outcome.ISOLATE:
                self._isolate(sent, rows)
            case Outcome.SPLIT:
                self._split(sent, rows)
            case _:
                return self._pause(sent, rows)
        return None

    def _post(self, batch: Batch) -> Sent:
        self._counts["posts"] += 1
        sent = post(self._lease, batch, self._context)
        if self._context.breaker is not None and not is_down(sent.answer, sent.verdict):
            self._context.breaker.answered()
        return sent

    def _split(self, sent: Sent, rows: Sequence[Due]) -> None:
        self._lease.suspects = 0
        if len(rows) == 1:
            self._results.rejected(sent, rows)
        else:
            self._results.refused_together(sent, rows)
            self._most = self._lease.batch_limit = len(rows) // 2

    def _isolate(self, sent: Sent, rows: Sequence[Due]) -> None:
        """Reject the bad events of a refused batch. The others stay due and are read again."""
        message, lease = sent.answer.message, self._lease
        if len(rows) == 1:
            self._alone(sent, rows[0])
            return
        named = named_events(message, len(rows))
        if named:
            bad = [row for index, row in enumerate(rows) if index in named]
            self._results.rejected(sent, bad, others=[row for index, row in enumerate(rows) if index not in named])
            lease.suspects = 0
            return
        self._results.refused_together(sent, rows)
        indicated = indicated_events(message, len(rows))
        if indicated:
            self._prime = rows[min(indicated)]
        if self._is_searched and not lease.suspects:
            lease.batch_limit = max(1, len(rows) // 2)  # so each of many bad events costs about one POST
        self._is_searched, lease.suspects = True, len(rows)

    def _alone(self, sent: Sent, row: Due) -> None:
        """Reject an event that was refused alone.

        A refusal that names no field may be about the account. Then the event is rejected only if a later try is
        refused as well.
        """
        self._lease.suspects = 0
        if names_field(sent.answer.message) or sent.answer.code == NOT_HASHED or self._was_refused_alone(row):
            self._results.rejected(sent, [row])
        else:
            self._results.postponed(sent, [row], due_at=self._context.clock() + self._delay(sent, [row]))

    def _was_refused_alone(self, row: Due) -> bool:
        attempts = Attempt.objects.using(self._lease.using)
        return attempts.filter(pk=row.last_attempt, outcome=Outcome.ISOLATE, event_count=1).exists()

    def _pause(self, sent: Sent, rows: Sequence[Due]) -> End:
        """Keep the events for later: the pixel is stopped, or they are tried again after a delay."""
        if sent.verdict.outcome == Outcome.STOP:
            self._results.stopped(sent, rows)
            pixels.stop(self._lease.using, self._lease.pixel_code, sent.answer, token=self._context.token)
            return End.PIXEL_PAUSED
        now, breaker, delay = self._context.clock(), self._context.breaker, self._delay(sent, rows)
        self._results.postponed(sent, rows, due_at=now + delay)
        if breaker is None:
            return End.PIXEL_PAUSED if sent.verdict.pixel_wide else End.PAUSED
        is_wanted = sent.answer.http_status is not None and (sent.verdict.pixel_wide or sent.answer.retry_after)
        if is_wanted:
            breaker.pause(until=now + delay, now=now)
        closed = is_down(sent.answer, sent.verdict) and breaker.failed(now=now)
        return End.PIXEL_PAUSED if closed or is_wanted or sent.verdict.pixel_wide else End.PAUSED

    def _delay(self, sent: Sent, rows: Sequence[Due]) -> float:
        settings, verdict = self._context.settings, sent.verdict
        floor = min(max(sent.answer.retry_after or 0.0, verdict.pause_seconds), settings.retry_max_seconds)
        attempts = max(row.attempts for row in rows)
        return delay_seconds(attempts, base=settings.retry_seconds, most=settings.retry_max_seconds, floor=floor)
