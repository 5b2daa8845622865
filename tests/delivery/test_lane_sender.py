"""What one lane's worker sends, what that costs, and how it is kept when TikTok takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import (
    NOW,
    PIXEL,
    FakeClient,
    fill,
    only_row,
    row,
    scripted,
    states,
    store,
)
from tiktok_attribution.delivery.lanes import Lease
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, Outcome, State

pytestmark = pytest.mark.django_db

TRANSACTION_CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


class TestBatches:
    def test_1000_events_go_in_one_request(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1000)
        deliver()

        assert client.sizes == [1000]

    def test_more_go_in_several(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(BATCH_SIZE=10)
        fill(25)
        deliver()

        assert client.sizes == [10, 10, 5]

    def test_no_request_is_larger_than_its_setting(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        configure(BATCH_BYTES=10_000)
        fill(200)
        deliver()

        assert max(len(body) for body in client.bodies) <= 10_000
        assert states() == {State.DELIVERED: 200}

    def test_the_body_is_the_stored_text(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1)
        deliver()

        assert json.loads(client.bodies[0]) == {
            "event_source": "web",
            "event_source_id": PIXEL,
            "data": [json.loads(only_row().payload)],
        }

    def test_a_test_event_code_goes_with_it(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(TEST_EVENT_CODE="TEST1", TEST_EVENT_CODE_IN_PRODUCTION=True)
        fill(1)
        deliver()

        assert json.loads(client.bodies[0])["test_event_code"] == "TEST1"

    def test_the_counts_says_what_was_done(self, client: FakeClient, deliver: Deliver) -> None:
        fill(3)

        assert deliver() == {"delivered": 3, "posts": 1}

    def test_nothing_is_sent_where_nothing_is_due(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1, due_at=NOW + 1)

        assert deliver() == {}
        assert client.bodies == []

    def test_nothing_is_sent_while_the_app_is_switched_off(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        configure(ENABLED=False)
        fill(1)
        deliver()

        assert client.bodies == []

    def test_every_lane_is_emptied(self, client: FakeClient, deliver: Deliver) -> None:
        store([row(number, lane=number % 4) for number in range(40)])
        deliver()

        assert client.sizes == [10, 10, 10, 10]

    def test_every_lane_is_free_afterwards(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1)
        deliver()
        lane = Lane.objects.get()

        assert (lane.holder, lane.leased_until, lane.in_flight) == ("", 0, "")

    def test_it_ends_between_two_batches_when_asked_to(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        configure(BATCH_SIZE=1)
        store([row(number, lane=number) for number in range(3)])
        deliver(stopping=lambda: len(client.bodies) > 0)

        assert states() == {State.DELIVERED: 1, State.WAITING: 2}

    def test_a_row_that_comes_while_the_lane_is_leased_is_not_left_behind(
        self, client: FakeClient, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(1)
        release = Lease.release

        def come_late(lease: Lease) -> None:
            store([row(7)])
            release(lease)

        monkeypatch.setattr(Lease, "release", come_late)
        deliver()

        assert states() == {State.DELIVERED: 2}


class TestCost:
    def statements(self, deliver: Deliver) -> int:
        with CaptureQueriesContext(connection) as queries:
            deliver()
        return sum(not query["sql"].upper().startswith(TRANSACTION_CONTROL) for query in queries)

    def test_a_batch_costs_the_same_statements_whatever_its_size(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1)
        deliver()
        OutboxEvent.objects.all().delete()
        store([row(number) for number in range(10)])
        few = self.statements(deliver)
        store([row(1000 + number) for number in range(900)])
        many = self.statements(deliver)

        assert client.sizes[1:] == [10, 900]
        assert few == many

    def test_a_batch_is_claimed_marked_and_recorded_by_four_statements(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        configure(BATCH_SIZE=10)
        fill(1)
        deliver()
        store([row(100 + number) for number in range(10)])
        one_batch = self.statements(deliver)
        store([row(200 + number) for number in range(30)])
        three_batches = self.statements(deliver)

        assert client.sizes == [1, 10, 10, 10, 10]
        assert three_batches - one_batch == 2 * 4

    def transactions(self, deliver: Deliver) -> int:
        """Savepoints, inside the transaction of the test."""
        with CaptureQueriesContext(connection) as queries:
            deliver()
        return sum(query["sql"].upper().startswith("RELEASE SAVEPOINT") for query in queries)

    def test_a_further_batch_costs_one_commit(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(BATCH_SIZE=10)
        fill(1)
        deliver()
        store([row(100 + number) for number in range(10)])
        one_batch = self.transactions(deliver)
        store([row(200 + number) for number in range(30)])
        three_batches = self.transactions(deliver)

        assert client.sizes == [1, 10, 10, 10, 10]
        assert three_batches - one_batch == 2


class TestDelivered:
    def test_the_row_is_delivered(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1)
        deliver()
        found = only_row()

        assert (found.state, found.due_at, found.attempts) == (State.DELIVERED, None, 1)
        assert found.delivered_at is not None

    def test_the_attempt_is_recorded(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(Answer(http_status=200, code=0, message="OK", request_id="R1", duration_seconds=0.25))
        fill(2)
        deliver()
        attempt = Attempt.objects.get()

        assert (attempt.http_status, attempt.code, attempt.message, attempt.request_id) == (200, 0, "OK", "R1")
        assert (attempt.outcome, attempt.event_count, attempt.duration_seconds) == (Outcome.DELIVERED, 2, 0.25)
        assert attempt.started_at.timestamp() == NOW

    def test_the_rows_know_their_attempt(self, client: FakeClient, deliver: Deliver) -> None:
        fill(2)
        deliver()
        attempt = Attempt.objects.get()

        assert [found.attempt_pks for found in OutboxEvent.objects.all()] == [[attempt.pk], [attempt.pk]]
        assert attempt.events().count() == 2

    @pytest.mark.parametrize("code", [20001, 40050])
    def test_a_warning_is_kept_as_the_note(self, client: FakeClient, deliver: Deliver, code: int) -> None:
        client.answer = scripted(Answer(http_status=200, code=code, message="partly"))
        fill(1)
        deliver()

        assert (only_row().state, only_row().note) == (State.DELIVERED, f"Accepted with code {code}: partly")

    def test_a_note_of_its_own_stands_where_there_is_no_warning(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1, note="The phone was left out.")
        deliver()

        assert only_row().note == "The phone was left out."


class TestTakenAhead:
    @pytest.fixture(autouse=True)
    def _two_batches(self, client: FakeClient, configure: Configure) -> None:
        configure(BATCH_SIZE=1)
        fill(2)

    def test_who_is_told_to_stop_gives_it_back_unsent(self, client: FakeClient, deliver: Deliver) -> None:
        asked: list[bool] = []

        def stopping() -> bool:
            asked.append(len(client.bodies) == 1 and Lane.objects.exclude(in_flight="").exists())
            return asked.count(True) > 1  # once while it is marked, then before the POST of what was taken ahead

        deliver(stopping=stopping)

        assert len(client.bodies) == 1
        assert states() == {State.DELIVERED: 1, State.WAITING: 1}
        assert Lane.objects.get().in_flight == ""
        deliver()
        assert states() == {State.DELIVERED: 2}
        assert list(Attempt.objects.values_list("outcome", flat=True)) == [Outcome.DELIVERED] * 2

    def test_a_worker_that_dies_leaves_it_noted(self, client: FakeClient, deliver: Deliver) -> None:
        class Killed(BaseException):
            pass

        def die_second(body: bytes) -> Answer:
            if len(client.bodies) == 2:
                raise Killed
            return Answer(http_status=200, code=0, message="OK")

        client.answer = die_second
        with pytest.raises(Killed):
            deliver()

        assert states() == {State.DELIVERED: 1, State.WAITING: 1}
        waiting = OutboxEvent.objects.get(state=State.WAITING)
        assert Lane.objects.get().in_flight.endswith(f":{waiting.pk}")

    def test_what_is_too_old_is_not_taken_ahead(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        OutboxEvent.objects.filter(pk=OutboxEvent.objects.latest("pk").pk).update(event_time=NOW - 30 * 86_400)
        deliver()

        assert len(client.bodies) == 1
        assert states() == {State.DELIVERED: 1, State.EXPIRED: 1}

    def test_the_marks_stand_where_the_lease_is_lost_just_then(
        self, client: FakeClient, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        note = Lease.note

        def lost(lease: Lease, *args: Any, **kwargs: Any) -> bool:
            if len(client.bodies) == 1:
                Lane.objects.update(holder="somebody-else")
            return note(lease, *args, **kwargs)

        monkeypatch.setattr(Lease, "note", lost)
        deliver()

        assert len(client.bodies) == 1
        assert states() == {State.DELIVERED: 1, State.WAITING: 1}
