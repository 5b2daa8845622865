"""Empties one leased lane: read what is due, POST, react to the verdict, until nothing is due or TikTok says wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import Enum

from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.backoff import delay_seconds
from tiktok_attribution.delivery.breaker import is_down
from tiktok_attribution.delivery.due import Due, due_rows, reason_to_give_up
from tiktok_attribution.delivery.isolate import Search
from tiktok_attribution.delivery.lanes import Lease, has_work
from tiktok_attribution.delivery.marks import Marks, Tally
from tiktok_attribution.delivery.outcomes import hinted_events, named_events
from tiktok_attribution.delivery.post import Batch, Means, Sent, post, take, take_ahead
from tiktok_attribution.models import Outcome


class End(Enum):
    """Why a lane is left."""

    EMPTY = "nothing is due"
    PAUSED = "what was sent last is tried again later"
    PACED = "the rate limit wants a pause"
    PIXEL_PAUSED = "the pixel's other lanes must wait too"


class Drain:
    """One lane, as long as its lease is held. Raises LeaseLost."""

    def __init__(self, lease: Lease, means: Means, tally: Tally) -> None:
        self._lease = lease
        self._means = means
        self._tally = tally
        self._marks = Marks(lease, means, tally)
        self._most = means.settings.batch_size  # lowered for good when TikTok finds a batch too big
        self._wary = self._most  # halved by each refusal after the first, so that many bad events cost one POST each
        self._refusals = 0
        self._ahead: Batch | None = None
        self._is_empty = False

    def run(self) -> End:
        """Send until nothing is due, TikTok wants a pause, or this process wants to end."""
        while not self._means.stopping():
            batch, self._ahead = self._ahead, None
            if batch is None:
                if self._is_paced():
                    return End.PACED if self._has_work() else End.EMPTY
                rows = self._due()
                if not rows:
                    return End.EMPTY
                fresh = self._without_the_hopeless(rows)
                if not fresh:
                    continue
                batch = take(self._lease, fresh, self._means)
            end = self._send(batch)
            if end is not None or self._is_empty:
                return end or End.EMPTY
        if self._ahead is not None:
            self._lease.on_its_way = False  # it was to go next, and does not
        return End.PIXEL_PAUSED

    def _is_paced(self) -> bool:
        return self._lease.next_at > self._means.clock()

    def _due(self) -> list[Due]:
        most, now = min(self._most, self._wary, self._means.most_events), self._means.clock()
        return due_rows(self._lease, now=now, most=most, most_bytes=self._means.settings.batch_bytes)

    def _take_ahead(self) -> bool:
        """The next batch in the transaction that marks the last one: a commit a batch instead of two."""
        if self._means.stopping() or self._is_paced():
            return False
        rows, now = self._due(), self._means.clock()
        self._is_empty = not rows
        if rows and not any(reason_to_give_up(row, self._means.settings, now) for row in rows):
            self._ahead = take_ahead(self._lease, rows, self._means)
        return self._ahead is not None

    def _has_work(self) -> bool:
        lease = self._lease
        return has_work(lease.using, lease.pixel_code, lease.number, self._means.clock())

    def _without_the_hopeless(self, rows: Sequence[Due]) -> list[Due]:
        now, settings = self._means.clock(), self._means.settings
        by_reason: dict[str, list[Due]] = defaultdict(list)
        for row in rows:
            by_reason[reason_to_give_up(row, settings, now)].append(row)
        fresh = by_reason.pop("", [])
        for reason, hopeless in by_reason.items():
            self._marks.given_up(hopeless, reason)
        return fresh

    def _send(self, batch: Batch) -> End | None:
        """One POST and what follows from it; None while the lane may go on."""
        sent, rows = self._post(batch), batch.rows
        match sent.verdict.outcome:
            case Outcome.DELIVERED:
                self._refusals, self._wary = 0, min(self._most, 2 * self._wary)
                self._marks.delivered(sent, rows, then=self._take_ahead)
            case Outcome.ISOLATE:
                return self._isolate(sent, rows)
            case Outcome.SPLIT:
                self._split(sent, rows)
            case _:
                return self._pause(sent, rows)
        return None

    def _post(self, batch: Batch) -> Sent:
        self._tally["posts"] += 1
        sent = post(self._lease, batch, self._means)
        if self._means.breaker is not None and not is_down(sent.answer, sent.verdict):
            self._means.breaker.answered()
        return sent

    def _split(self, sent: Sent, rows: Sequence[Due]) -> None:
        if len(rows) == 1:
            self._marks.rejected(sent, rows)
        else:
            self._marks.refused_together(sent, rows)
            self._most = len(rows) // 2

    def _isolate(self, sent: Sent, rows: Sequence[Due]) -> End | None:
        """Reject the bad events of a refused batch; the rest stays due, and is read again."""
        named = named_events(sent.answer.message, len(rows)) if len(rows) > 1 else {0}
        if named:
            bad = [row for index, row in enumerate(rows) if index in named]
            self._marks.rejected(sent, bad, others=[row for index, row in enumerate(rows) if index not in named])
            return None
        self._marks.refused_together(sent, rows)
        hinted = hinted_events(sent.answer.message, len(rows))
        if hinted:
            prime = rows[min(hinted)]
            return self._search(sent, Search([prime, *(row for row in rows if row.pk != prime.pk)], prime=True))
        self._refusals += 1
        if self._refusals > 1:
            self._wary = max(1, len(rows) // 2)
        return self._search(sent, Search(rows))

    def _search(self, sent: Sent, search: Search[Due]) -> End | None:
        while not search.ended:
            rows = search.probe
            probe = self._post(take(self._lease, rows, self._means))
            match probe.verdict.outcome:
                case Outcome.DELIVERED:
                    self._marks.delivered(probe, rows)
                    search.accepted()
                case Outcome.ISOLATE if not named_events(probe.answer.message, len(rows)):
                    self._marks.refused_together(probe, rows)
                    search.refused()
                    sent = probe
                case Outcome.ISOLATE:
                    return self._isolate(probe, rows)
                case Outcome.SPLIT:
                    self._split(probe, rows)
                    return None
                case _:
                    return self._pause(probe, rows)
        self._marks.condemned(sent, search.suspects)
        return None

    def _pause(self, sent: Sent, rows: Sequence[Due]) -> End:
        """Keep the rows for later: the pixel is stopped, or they are tried again after a while."""
        if sent.verdict.outcome == Outcome.STOP:
            self._marks.stopped(sent, rows)
            pixels.stop(self._lease.using, self._lease.pixel_code, sent.answer, token=self._means.token)
            return End.PIXEL_PAUSED
        now, breaker = self._means.clock(), self._means.breaker
        self._marks.postponed(sent, rows, due_at=now + self._delay(sent, rows))
        closed = breaker is not None and is_down(sent.answer, sent.verdict) and breaker.failed(now=now)
        return End.PIXEL_PAUSED if closed or sent.verdict.pixel_wide else End.PAUSED

    def _delay(self, sent: Sent, rows: Sequence[Due]) -> float:
        settings, verdict = self._means.settings, sent.verdict
        floor = max(sent.answer.retry_after or 0.0, min(verdict.pause_seconds, settings.retry_most_seconds))
        attempts = max(row.attempts for row in rows)
        return delay_seconds(attempts, base=settings.retry_seconds, most=settings.retry_most_seconds, floor=floor)
