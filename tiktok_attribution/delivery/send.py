"""Sends what is due: lease a lane, POST, mark, until nothing is due or TikTok says wait.

Two short transactions a batch (note what is on its way; mark what became of it), none of them open over the network.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Concat

from tiktok_attribution import conf
from tiktok_attribution.delivery import lanes, pixels
from tiktok_attribution.delivery.backoff import MOST_UNKNOWN_SECONDS, delay_seconds
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.isolate import Search
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.outcomes import Answer, Verdict, judge, named_events
from tiktok_attribution.events.payload import request_body
from tiktok_attribution.models import Attempt, Outcome, OutboxEvent, State, moment
from tiktok_attribution.signals import batch_attempted

logger = logging.getLogger("tiktok_attribution")

Clock = Callable[[], float]
Tally = Counter[str]
"""How many events ended in which state, and under "posts" how many requests that took."""


class Due(NamedTuple):
    """A row that is due."""

    pk: int
    payload: str
    attempts: int
    event_time: int
    unknown_since: float | None


class Sent(NamedTuple):
    """One POST: when it began, its record, its answer, and what that means."""

    at: float
    attempt: Attempt
    answer: Answer
    verdict: Verdict


def deliver_all(*, clock: Clock = time.time) -> Tally:
    """Send whatever is due, for every pixel in every database."""
    tally: Tally = Counter()
    for using in outbox_databases():
        for pixel_code in lanes.pixels_with_work(using):
            tally += deliver(pixel_code, using=using, clock=clock)
    return tally


def deliver(pixel_code: str, *, using: str, clock: Clock = time.time) -> Tally:
    """Send whatever is due for one pixel. Lanes that another worker holds are left to it."""
    tally: Tally = Counter()
    settings = conf.current()
    if not settings.enabled or not pixels.may_send(using, pixel_code):
        return tally
    with Client(settings.api_url, settings.timeout_seconds) as client:
        for number in lanes.lanes_with_work(using, pixel_code, clock()):
            lease = lanes.lease(using, pixel_code, number, now=clock(), seconds=_lease_seconds(settings))
            if lease is None:
                continue
            sender = _LaneSender(lease, client, settings, clock, tally)
            try:
                sender.drain()
            except lanes.LeaseLost:
                logger.warning("tiktok lane %s/%s was taken over while it was sent", pixel_code, number)
            finally:
                lease.release()
            if sender.stopped:
                break
    return tally


def _lease_seconds(settings: conf.Settings) -> float:
    """Never shorter than a POST may take, or a slow answer would cost the lease."""
    return max(settings.lease_seconds, 3 * settings.timeout_seconds)


class _LaneSender:
    """Sends the due rows of one leased lane."""

    def __init__(
        self, lease: lanes.Lease, client: Client, settings: conf.Settings, clock: Clock, tally: Tally
    ) -> None:
        self.lease = lease
        self.client = client
        self.settings = settings
        self.clock = clock
        self.tally = tally
        self.limit = settings.batch_size
        self.stopped = False

    def drain(self) -> None:
        """Send until nothing is due or TikTok wants a pause."""
        while rows := self._due_rows():
            fresh = self._expire(rows)
            if fresh and not self._send(fresh):
                return

    def _due_rows(self) -> list[Due]:
        rows = OutboxEvent.objects.using(self.lease.using).filter(
            pixel_code=self.lease.pixel_code, lane=self.lease.number, due_at__lte=self.clock()
        )
        due = rows.order_by("due_at").values_list("pk", "payload", "attempts", "event_time", "unknown_since")
        return self._fitting([Due(*row) for row in due[: self.limit]])

    def _fitting(self, rows: list[Due]) -> list[Due]:
        """The first rows whose texts fit into one body; one at least."""
        size = 1000  # the root object around them, with room to spare
        for position, row in enumerate(rows):
            size += len(row.payload) + 1  # the texts are ASCII: characters are bytes
            if size > self.settings.batch_bytes and position:
                return rows[:position]
        return rows

    def _expire(self, rows: list[Due]) -> list[Due]:
        """Mark what is too old to send and return the rest."""
        now = self.clock()
        aged = [row for row in rows if row.event_time < now - self.settings.max_age_seconds]
        known = {row.pk for row in aged}
        doubtful = [row for row in rows if (row.unknown_since or now) < now - MOST_UNKNOWN_SECONDS]
        doubtful = [row for row in doubtful if row.pk not in known]
        days = f"{self.settings.max_age_days:g}"
        self._give_up(aged, f"Not delivered within {days} days of the event.")
        self._give_up(doubtful, "TikTok may have it: an attempt got no answer, and after 47 hours a repeat could count twice.")
        gone = known | {row.pk for row in doubtful}
        return [row for row in rows if row.pk not in gone]

    def _give_up(self, rows: Sequence[Due], note: str) -> None:
        if rows:
            self._rows(rows).update(state=State.EXPIRED, due_at=None, note=note)
            self.tally["expired"] += len(rows)

    def _send(self, rows: Sequence[Due]) -> bool:
        """Send these rows; True while the lane may go on."""
        while rows:
            sent = self._post(rows)
            match sent.verdict.outcome:
                case Outcome.DELIVERED:
                    self._mark_delivered(sent, rows)
                    return True
                case Outcome.ISOLATE:
                    rest = self._isolate(sent, rows)
                case Outcome.SPLIT if len(rows) > 1:
                    self._record(sent)
                    self.limit = len(rows) // 2
                    return True
                case Outcome.SPLIT:
                    rest = self._reject(sent, rows)
                case _:
                    return self._pause(sent, rows)
            if rest is None:
                return False
            rows = rest
        return True

    def _isolate(self, sent: Sent, rows: Sequence[Due]) -> Sequence[Due] | None:
        """Reject the bad events of a refused batch; returns the rest, None when TikTok wants a pause."""
        named = named_events(sent.answer.message, len(rows))
        if named or len(rows) == 1:
            bad = [row for index, row in enumerate(rows) if index in named] or rows
            self._reject(sent, bad)
            return [row for row in rows if row not in bad]
        self._record(sent)
        search = Search(rows)
        while len(search.suspects) > 1:
            half = search.half
            probe = self._post(half)
            match probe.verdict.outcome:
                case Outcome.DELIVERED:
                    self._mark_delivered(probe, half)
                    search.accepted()
                case Outcome.ISOLATE | Outcome.SPLIT:
                    self._record(probe)
                    search.refused()
                    sent = probe
                case _:
                    self._pause(probe, half)
                    return None
        self._reject(sent, search.suspects, record=False)
        return search.others

    def _post(self, rows: Sequence[Due]) -> Sent:
        """One POST, with the rows noted in the lane before it."""
        now = self.clock()
        self.lease.take((row.pk for row in rows), now=now, seconds=_lease_seconds(self.settings))
        pixel_code = self.lease.pixel_code
        body = request_body(pixel_code, [row.payload for row in rows], self.settings.test_event_code)
        answer = self.client.post(self.settings.token_of(pixel_code), body)
        verdict = judge(answer)
        self.tally["posts"] += 1
        pks = [row.pk for row in rows]
        attempt = Attempt(
            id=secrets.token_urlsafe(16),
            pixel_code=pixel_code,
            started_at=moment(now),
            duration_seconds=round(answer.duration_seconds, 4),
            event_count=len(rows),
            outcome=verdict.outcome,
            http_status=answer.http_status,
            code=answer.code,
            message=answer.message,
            request_id=answer.request_id,
            first_event=min(pks),
            last_event=max(pks),
        )
        return Sent(now, attempt, answer, verdict)

    def _mark_delivered(self, sent: Sent, rows: Sequence[Due]) -> None:
        self._record(sent, rows, state=State.DELIVERED, due_at=None, delivered_at=moment(self.clock()))
        self.tally["delivered"] += len(rows)

    def _reject(self, sent: Sent, rows: Sequence[Due], *, record: bool = True) -> list[Due]:
        """Dead-letter with TikTok's own words. Returns nothing left to send."""
        changes = {"state": State.REJECTED, "due_at": None, "note": sent.answer.message}
        self._record(sent, rows, insert=record, **changes)
        self.tally["rejected"] += len(rows)
        return []

    def _pause(self, sent: Sent, rows: Sequence[Due]) -> bool:
        """Keep the rows for later: the pixel is stopped, or they are tried again after a while. Returns False."""
        if sent.verdict.outcome == Outcome.STOP:
            self._record(sent, rows)
            pixels.stop(self.lease.using, self.lease.pixel_code, sent.answer)
            self.stopped = True
            return False
        now = self.clock()
        changes: dict[str, Any] = {"due_at": now + self._delay(sent, rows)}
        if sent.verdict.fate_unknown:
            changes["unknown_since"] = Coalesce("unknown_since", Value(sent.at))
        self._record(sent, rows, **changes)
        self.tally["postponed"] += len(rows)
        return False

    def _delay(self, sent: Sent, rows: Sequence[Due]) -> float:
        return delay_seconds(
            max(row.attempts for row in rows),
            base=self.settings.retry_seconds,
            most=self.settings.retry_most_seconds,
            retry_after=sent.answer.retry_after,
        )

    def _rows(self, rows: Iterable[Due]) -> Any:
        return OutboxEvent.objects.using(self.lease.using).filter(pk__in=[row.pk for row in rows])

    def _record(self, sent: Sent, rows: Sequence[Due] = (), *, insert: bool = True, **changes: Any) -> None:
        """One transaction: check the lease, mark the rows, keep the attempt. Raises LeaseLost."""
        using = self.lease.using
        with transaction.atomic(using=using):
            self.lease.settle(now=self.clock(), seconds=_lease_seconds(self.settings))
            if rows:
                marked = self._rows(rows)
                if changes.get("state") != State.DELIVERED:
                    marked = marked.filter(state=State.WAITING)  # what was cancelled meanwhile stays so
                marked.update(
                    attempts=F("attempts") + 1,
                    attempt_log=Concat("attempt_log", Value(f"{sent.attempt.pk},")),
                    last_attempt=sent.attempt.pk,
                    **changes,
                )
            if insert:
                sent.attempt.save(using=using, force_insert=True)
        if insert:
            logger.info(
                "tiktok pixel %s: %s events, %s (http %s, code %s, request %s)",
                *(sent.attempt.pixel_code, sent.attempt.event_count, sent.attempt.outcome),
                *(sent.attempt.http_status, sent.attempt.code, sent.attempt.request_id),
            )
            batch_attempted.send(Attempt, attempt=sent.attempt, using=using)
