"""The outbox as a state machine: whatever TikTok answers and whoever dies, in whatever order."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.delivery.samples import (
    BAD,
    OK,
    PIXEL,
    REFUSED,
    REVOKED,
    SILENCE,
    SYSTEM_ERROR,
    TOO_MANY,
    FakeClient,
    HandClock,
    event_ids,
    row,
    store,
)
from tiktok_attribution.delivery import pixel_sender, pixels
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, PixelStatus, State

pytestmark = [pytest.mark.faults, pytest.mark.on_engine("sqlite"), pytest.mark.django_db]

HOUR = 3600.0
UNKNOWN_MOST = 47 * HOUR
FORGETS_AFTER = 48 * HOUR
MOST_ROWS = 30
SMALL = {"BATCH_SIZE": 4, "LEASE_SECONDS": 60, "EVENTS_PER_SECOND": 0, "LANES": 2}
NAMED = Answer(http_status=200, code=40002, message="Batch.0.properties.contents.0.content_id: Not a valid string")
SPLIT = Answer(http_status=200, code=40061, message="stand-in: too many")
ANSWERS = {
    "delivered": OK,
    "rate limited": TOO_MANY,
    "not reached": REFUSED,
    "silence": SILENCE,
    "silence, taken": SILENCE,
    "system error": SYSTEM_ERROR,
    "system error, taken": SYSTEM_ERROR,
    "refused": BAD,
    "refused by index": NAMED,
    "split": SPLIT,
    "stop": REVOKED,
    "died": OK,
    "died, taken": OK,
    # Silence: TikTok never says OK to what it has not taken. And a lane is not always found free after the sleep, for
    # the other worker may pause the pixel at an earlier lane; then the sleeper marks what it was told.
    "overtaken": SILENCE,
    "overtaken, taken": OK,
}
TAKEN = {"delivered"} | {name for name in ANSWERS if name.endswith(", taken")}
SCRIPTS = st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=4)
PAUSES = st.sampled_from([61.0, 2 * HOUR, 46.9 * HOUR, 49 * HOUR])


LONG_RUN = int(os.environ.get("FAULT_EXAMPLES") or 0)  # so many examples at random; else a few, always the same


class Died(BaseException):
    """The worker is gone: nothing of it marks anything."""


class Tiktok:
    """Answers by a script, then is out of reach; remembers what it took, and forgets an event_id after 48 hours."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.script: list[str] = []
        self.when_overtaken: Callable[[], None] = lambda: None
        self.window_at: dict[str, float] = {}
        self.counted: dict[str, int] = {}
        self.unknown_at: dict[str, float] = {}

    def answer(self, body: bytes) -> Answer:
        ids = event_ids(body)
        states = set(OutboxEvent.objects.filter(event_id__in=ids).values_list("state", flat=True))
        assert states == {State.WAITING}, f"sent although {states}"
        for event_id in ids:
            first = self.unknown_at.get(event_id, self.clock())
            assert self.clock() - first <= UNKNOWN_MOST, f"{event_id} was sent again {self.clock() - first} s later"
        name = self.script.pop(0) if self.script else "not reached"
        if name in TAKEN:
            self._take(ids, fate_known=name == "delivered")
        if name.startswith("overtaken"):
            self.when_overtaken()
        if name.startswith("died"):
            raise Died
        return ANSWERS[name]

    def _take(self, ids: list[str], *, fate_known: bool) -> None:
        now = self.clock()
        for event_id in ids:
            if event_id not in self.window_at or now - self.window_at[event_id] > FORGETS_AFTER:
                self.window_at[event_id] = now
                self.counted[event_id] = self.counted.get(event_id, 0) + 1
            if not fate_known:
                self.unknown_at.setdefault(event_id, now)


class Outbox(RuleBasedStateMachine):
    """Workers over two lanes, a hand clock, and a TikTok with a script."""

    def __init__(self) -> None:
        super().__init__()
        for model in (OutboxEvent, Attempt, Lane, PixelStatus):
            model.objects.all().delete()
        self.clock = HandClock()
        self.tiktok = Tiktok(self.clock)
        self.tiktok.when_overtaken = self.overtake
        self.recorded = 0
        self.done: set[str] = set()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(pixel_sender, "Client", FakeClient(answer=self.tiktok.answer))

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(count=st.integers(1, 6))
    def open(self, count: int) -> None:
        self.record(count)

    @precondition(lambda self: self.recorded < MOST_ROWS)
    @rule(count=st.integers(1, 3))
    def record(self, count: int) -> None:
        rows: list[Any] = []
        for number in range(self.recorded, self.recorded + count):
            now = self.clock()
            rows.append(row(number, event_time=int(now), due_at=now, lane=number % 2))
        store(rows)
        self.recorded += count

    @rule(pause=PAUSES, script=SCRIPTS)
    def deliver(self, pause: float, script: list[str]) -> None:
        self.clock.now += pause
        self.tiktok.script = script
        self.work()

    @precondition(lambda self: PixelStatus.objects.filter(stopped_at__isnull=False).exists())
    @rule()
    def resume(self) -> None:
        pixels.resume("default", PIXEL)

    def overtake(self) -> None:
        """The worker sleeps in its POST for longer than its lease, and another finds its lane free."""
        self.clock.now += 61
        self.work()

    def work(self) -> None:
        with suppress(Died):
            pixel_sender.deliver(PIXEL, using="default", clock=self.clock)

    @invariant()
    def nothing_vanishes(self) -> None:
        assert OutboxEvent.objects.count() == self.recorded

    @invariant()
    def what_is_settled_stays_so(self) -> None:
        settled = set(OutboxEvent.objects.exclude(state=State.WAITING).values_list("event_id", flat=True))
        assert settled >= self.done
        self.done = settled

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        assert set(self.tiktok.counted.values()) <= {1}

    @invariant()
    def delivered_means_counted(self) -> None:
        delivered = OutboxEvent.objects.filter(state=State.DELIVERED).values_list("event_id", flat=True)
        assert set(delivered) <= self.tiktok.counted.keys()

    @invariant()
    def what_is_given_up_says_why(self) -> None:
        given_up = OutboxEvent.objects.filter(state__in=(State.REJECTED, State.EXPIRED))
        assert not given_up.filter(note="").exists()

    @invariant()
    def what_waits_has_a_next_time_and_nothing_else_has(self) -> None:
        assert not OutboxEvent.objects.filter(state=State.WAITING, due_at__isnull=True).exists()
        assert not OutboxEvent.objects.exclude(state=State.WAITING).filter(due_at__isnull=False).exists()


def test_a_worker_that_wakes_up_in_a_lane_that_is_still_its_own_marks_what_it_was_told(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **SMALL}
    outbox = Outbox()
    outbox.open(2)
    try:
        outbox.deliver(61.0, ["system error", "overtaken, taken"])
    finally:
        outbox.teardown()

    assert dict(OutboxEvent.objects.values_list("event_id", "state")) == {
        "order-0": State.WAITING,  # where the other worker found TikTok out of reach, and went
        "order-1": State.DELIVERED,
    }


def test_no_order_of_answers_deaths_and_pauses_breaks_the_outbox(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **SMALL}
    run_state_machine_as_test(
        Outbox,
        settings=effort(
            max_examples=LONG_RUN or 30,
            derandomize=not LONG_RUN,
            stateful_step_count=25 if LONG_RUN else 15,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
