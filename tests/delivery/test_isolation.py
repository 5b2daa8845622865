"""A refused batch: the bad events are found, and all others delivered."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import (
    BAD,
    DAY,
    NOT_TEXT,
    NOW,
    OK,
    PIXEL,
    REVOKED,
    FakeClient,
    HandClock,
    delivered_ids,
    event_ids,
    fill,
    only_row,
    refusing,
    scripted,
    states,
)
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.delivery.turns import take_turn
from tiktok_attribution.models import Attempt, OutboxEvent, PixelStatus, State, Turn

pytestmark = pytest.mark.django_db


class TestIsolated:
    def test_one_without_an_index_is_found_in_at_most_12_requests(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-617"})
        fill(1000)
        deliver()

        assert states() == {State.DELIVERED: 999, State.REJECTED: 1}
        assert len(client.bodies) <= 12

    def test_it_is_the_right_one_with_tiktoks_words(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-5"})
        fill(9)
        deliver()
        dead = OutboxEvent.objects.get(state=State.REJECTED)

        assert (dead.event_id, dead.note, dead.due_at) == ("order-5", NOT_TEXT, None)

    def test_one_that_is_named_costs_two_requests(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(
            Answer(http_status=200, code=40002, message="Batch.3.properties.contents.0.content_id: Not a valid string")
        )
        fill(1000)
        deliver()

        assert client.sizes == [1000, 999]
        assert delivered_ids() == set(event_ids(client.bodies[1]))
        assert OutboxEvent.objects.get(state=State.REJECTED).event_id == event_ids(client.bodies[0])[3]

    def test_several_that_are_named_go_at_once(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(Answer(http_status=200, code=40002, message="Batch.0.x: bad, Batch.2.y: bad"))
        fill(5)
        deliver()

        assert states() == {State.DELIVERED: 3, State.REJECTED: 2}

    def test_one_that_is_wake_uped_at_is_tried_alone(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-3"}, "The event at index 3 is invalid")
        fill(100)
        deliver()

        assert client.sizes == [100, 1, 99]
        assert OutboxEvent.objects.get(state=State.REJECTED).event_id == "order-3"

    def test_a_wrong_wake_up_condemns_nobody(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-70"}, "The event at index 3 is invalid")
        fill(100)
        deliver()

        assert OutboxEvent.objects.get(state=State.REJECTED).event_id == "order-70"
        assert len(client.bodies) <= 12

    def test_two_are_both_found(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-0", "order-99"})
        fill(100)
        deliver()

        assert len(delivered_ids()) == 98
        assert not delivered_ids() & {"order-0", "order-99"}

    def test_a_batch_of_nothing_but_bad_ones_costs_little_more_than_one_request_each(
        self, client: FakeClient, deliver: Deliver
    ) -> None:
        client.answer = refusing({f"order-{number}" for number in range(128)})
        fill(128)
        deliver()

        assert states() == {State.REJECTED: 128}
        assert len(client.bodies) <= 128 + 2 * 7 * 7

    def test_one_alone_is_rejected_at_once(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-0"})
        fill(1)
        deliver()

        assert len(client.bodies) == 1
        assert (only_row().state, only_row().attempts) == (State.REJECTED, 1)

    def test_every_attempt_that_an_event_was_in_is_in_its_log(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = refusing({"order-0"})
        fill(4)
        deliver()
        dead = OutboxEvent.objects.get(state=State.REJECTED)
        spared = OutboxEvent.objects.get(event_id="order-3")

        assert client.sizes == [4, 2, 1, 3]
        assert [Attempt.objects.get(pk=pk).event_count for pk in dead.attempt_pks] == [4, 2, 1]
        assert [Attempt.objects.get(pk=pk).event_count for pk in spared.attempt_pks] == [4, 3]

    def test_a_refusal_of_many_does_not_lengthen_the_back_off_of_the_spared(
        self, client: FakeClient, deliver: Deliver
    ) -> None:
        client.answer = refusing({"order-0"})
        fill(4)
        deliver()

        assert OutboxEvent.objects.get(event_id="order-3").attempts == 1

    def test_a_pixel_that_is_stopped_meanwhile_leaves_the_rest_waiting(
        self, client: FakeClient, deliver: Deliver
    ) -> None:
        refused = BAD
        client.answer = scripted(refused, OK, refused, REVOKED)
        fill(8)
        deliver()

        assert client.sizes == [8, 4, 2, 1]
        assert states() == {State.DELIVERED: 4, State.WAITING: 4}
        assert PixelStatus.objects.get().stopped_at is not None

    def test_a_pause_meanwhile_postpones_the_probe_alone(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        client.answer = scripted(BAD, Answer(http_status=429, retry_after=9.0))
        fill(8)
        deliver()
        later = OutboxEvent.objects.filter(due_at__gt=NOW)

        assert (states(), later.count()) == ({State.WAITING: 8}, 4)

    def test_a_probe_whose_answer_names_the_one_ends_the_search(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(
            BAD,
            Answer(http_status=200, code=40002, message="Batch.1.price: bad"),
        )
        fill(8)
        deliver()

        assert client.sizes == [8, 4, 7]
        assert states() == {State.DELIVERED: 7, State.REJECTED: 1}

    def test_unhashed_data_is_reported_as_a_bug(
        self, client: FakeClient, deliver: Deliver, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.answer = scripted(Answer(http_status=200, code=40062, message="PII_NOT_HASHED"))
        fill(1)
        deliver()

        assert "please report this as a bug" in caplog.text
        assert only_row().state == State.REJECTED


class TestNobodyIsCondemnedUnheard:
    NO_CAUSE = Answer(http_status=200, code=40002, message="Shop must belong to a Business Center account.")

    def test_an_event_that_is_left_over_is_sent_alone_first(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(self.NO_CAUSE)
        fill(8)
        deliver()

        assert states() == {State.DELIVERED: 8}
        assert client.sizes == [8, 4, 2, 1, 1]

    def test_a_refusal_that_names_no_field_has_to_be_repeated_later(
        self, client: FakeClient, deliver: Deliver, clock: HandClock
    ) -> None:
        client.answer = lambda body: self.NO_CAUSE
        fill(1)
        deliver()
        assert states() == {State.WAITING: 1}
        assert client.sizes == [1]

        clock.now += DAY
        deliver()
        assert states() == {State.REJECTED: 1}
        assert client.sizes == [1, 1]

    def test_once_taken_it_is_delivered(self, client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
        client.answer = scripted(self.NO_CAUSE)
        fill(1)
        deliver()
        clock.now += DAY
        deliver()

        assert states() == {State.DELIVERED: 1}

    def test_the_search_keeps_the_pace_and_goes_on_in_later_turns(
        self, client: FakeClient, clock: HandClock, configure: Configure
    ) -> None:
        configure(EVENTS_PER_SECOND=200, LANES=4)
        client.answer = refusing({"order-33"})
        fill(100)
        began, turns = clock.now, 0
        while states()[State.WAITING] and turns < 100:
            take_turn(PIXEL, using="default", clock=clock, holder=Turn.objects.first().holder if turns else "")
            clock.now += 0.05
            turns += 1
            assert sum(client.sizes) <= 50 * (clock.now - began) + 50

        assert states() == {State.DELIVERED: 99, State.REJECTED: 1}
        assert OutboxEvent.objects.get(state=State.REJECTED).event_id == "order-33"


@given(st.integers(1, 60).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exactly_the_bad_events_are_rejected(client: FakeClient, deliver: Deliver, batch: tuple[int, set[int]]) -> None:
    size, bad = batch
    OutboxEvent.objects.all().delete()
    client.answer = refusing({f"order-{number}" for number in bad})
    client.bodies.clear()
    fill(size)
    deliver()

    assert delivered_ids() == {f"order-{number}" for number in set(range(size)) - bad}
    assert states()[State.REJECTED] == len(bad)
    refused_alone = {event_ids(body)[0] for body in client.bodies if len(event_ids(body)) == 1}
    assert {f"order-{number}" for number in bad} <= refused_alone


class TestSplit:
    def test_a_batch_that_is_too_big_goes_in_channels(self, client: FakeClient, deliver: Deliver) -> None:
        too_big = Answer(http_status=200, code=40061, message="INVALID_BATCH_SIZE")
        client.answer = lambda body: too_big if len(event_ids(body)) > 3 else OK
        fill(10)
        deliver()

        assert client.sizes == [10, 5, 2, 2, 2, 2, 2]
        assert states() == {State.DELIVERED: 10}

    def test_a_single_one_that_is_too_big_is_rejected(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = lambda body: Answer(http_status=413, message="The answer is not TikTok's JSON.")
        fill(2)
        deliver()

        assert states() == {State.REJECTED: 2}

    def test_a_probe_that_is_too_big_condemns_nobody(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(BAD, Answer(http_status=200, code=40061))
        fill(8)
        deliver()

        assert states() == {State.DELIVERED: 8}
