"""Store the results of a POST in one short transaction: check the lease, update the events, keep the attempt.

An attempt is noted at every event that was in it. The refusal of a whole batch says nothing about a single event.
So it does not count as an attempt of these events; the delay between retries grows with their attempts.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce, Concat

from tiktok_attribution.delivery.event_search import by_key
from tiktok_attribution.delivery.lanes import Due, Lease
from tiktok_attribution.delivery.post import SendContext, Sent
from tiktok_attribution.delivery.responses import NOT_HASHED
from tiktok_attribution.models import Attempt, OutboxEvent, State, moment
from tiktok_attribution.signals import batch_attempted

logger = logging.getLogger("tiktok_attribution")

Changes = dict[str, Any]
Counts = Counter[str]
"""How many events ended in which state; under "posts", how many requests were made."""


# Decision: events are updated by their keys on the condition that the lane is still leased. If it is lost, the
# transaction is rolled back and nothing has changed. While there is more to send, `then` reads and notes the next batch
# in the same transaction. That is four statements and one commit a batch, whatever its size.
@dataclass(frozen=True, slots=True)
class Results:
    """Store results for the events of one leased lane. Each method raises LeaseLost, and then has changed nothing."""

    lease: Lease
    context: SendContext
    counts: Counts

    def delivered(self, sent: Sent, rows: Sequence[Due], then: Callable[[], bool] = lambda: False) -> None:
        """Store that TikTok accepted the events. If its answer was a warning, the warning becomes the note.

        `then` runs last in the transaction and returns True if another batch is on its way once that commits.
        """
        changes: Changes = {"state": State.DELIVERED, "due_at": None, "delivered_at": moment(self.context.clock())}
        if sent.answer.code:
            changes["note"] = f"Accepted with code {sent.answer.code}: {sent.answer.words}"[:500]
        self._keep(sent, {"delivered": (rows, changes)}, then=then)

    def rejected(self, sent: Sent, rows: Sequence[Due], others: Sequence[Due] = ()) -> None:
        """Store that TikTok rejected `rows`, with its own words. `others` were in the same POST, without blame."""
        self._keep(sent, {"rejected": (rows, _dead(sent))}, others)

    def refused_together(self, sent: Sent, rows: Sequence[Due]) -> None:
        """Store that a batch was refused as a whole: one event or their number is to blame. All stay due."""
        self._keep(sent, {}, others=rows)

    def stopped(self, sent: Sent, rows: Sequence[Due]) -> None:
        """Store that the pixel was stopped. The events stay due until the pixel may send again."""
        self._keep(sent, {"stopped": (rows, {})})

    def postponed(self, sent: Sent, rows: Sequence[Due], *, due_at: float) -> None:
        """Store when to try again, as often as the verdict allows. If TikTok may have the events, note since when."""
        most = sent.verdict.most_attempts
        weary = [row for row in rows if most is not None and row.attempts + 1 >= most]
        fresh = [row for row in rows if most is None or row.attempts + 1 < most]
        changes: Changes = {"due_at": due_at}
        if sent.verdict.fate_unknown:
            changes["unknown_since"] = Coalesce("unknown_since", Value(sent.at))
        self._keep(sent, {"postponed": (fresh, changes), "rejected": (weary, _dead(sent))})

    def given_up(self, rows: Sequence[Due], reason: str) -> None:
        """Store that these events expired; they are never sent again."""
        self._write(self._waiting(rows), state=State.EXPIRED, due_at=None, note=reason)
        self.counts["expired"] += len(rows)

    def _keep(
        self,
        sent: Sent,
        fates: Mapping[str, tuple[Sequence[Due], Changes]],
        others: Sequence[Due] = (),
        then: Callable[[], bool] = lambda: False,
    ) -> None:
        """Store the attempt and its results. `fates`: the events of each result and their changes, by its name."""
        log: Changes = {
            "attempt_log": Concat("attempt_log", Value(f"{sent.attempt.pk},")),
            "last_attempt": sent.attempt.pk,
        }
        using = self.lease.using
        with transaction.atomic(using=using):
            for word, (rows, changes) in fates.items():
                # An event that was cancelled in the meantime stays cancelled, unless TikTok accepted it.
                marked = self._all(rows) if word == "delivered" else self._waiting(rows)
                if rows:
                    self._write(marked, attempts=F("attempts") + 1, **log, **changes)
            if others:
                self._write(self._all(others), **log)
            sent.attempt.save(using=using, force_insert=True)
            ahead = then()
        self.lease.on_its_way = ahead
        self.counts.update({word: len(rows) for word, (rows, _) in fates.items() if rows})
        _tell(sent.attempt, using)

    def _write(self, rows: QuerySet[OutboxEvent], **changes: Any) -> None:
        if not rows.filter(self.lease.is_leased).update(**changes):
            self.lease.check()  # all events were cancelled in the meantime, or another worker has the lane

    def _all(self, rows: Sequence[Due]) -> QuerySet[OutboxEvent]:
        return by_key([row.pk for row in rows], using=self.lease.using)

    def _waiting(self, rows: Sequence[Due]) -> QuerySet[OutboxEvent]:
        return self._all(rows).filter(state=State.WAITING)


def _dead(sent: Sent) -> dict[str, Any]:
    answer = sent.answer
    return {"state": State.REJECTED, "due_at": None, "note": answer.words or f"HTTP {answer.http_status}"}


def _tell(attempt: Attempt, using: str) -> None:
    logger.info(
        "tiktok pixel %s: %s events, %s (http %s, code %s, request %s)",
        *(attempt.pixel_code, attempt.event_count, attempt.outcome),
        *(attempt.http_status, attempt.code, attempt.request_id),
    )
    if attempt.code == NOT_HASHED:
        logger.error("tiktok: an event went out with personal data unhashed; please report this as a bug")
    batch_attempted.send_robust(Attempt, attempt=attempt, using=using)
