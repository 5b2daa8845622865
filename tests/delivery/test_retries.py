"""What is tried again, when, and until when."""

from __future__ import annotations

import pytest

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import (
    DAY,
    NOW,
    REFUSED,
    SILENCE,
    SYSTEM_ERROR,
    TOO_MANY,
    FakeClient,
    HandClock,
    delivered_ids,
    fill,
    only_row,
    row,
    scripted,
    states,
    store,
)
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, State

pytestmark = pytest.mark.django_db


class TestTriedAgain:
    def test_the_row_waits_for_a_time_within_the_back_off(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        configure(RETRY_SECONDS=8)
        client.answer = scripted(SYSTEM_ERROR)
        fill(1, attempts=2)
        deliver()
        found = only_row()

        assert (found.state, found.attempts) == (State.WAITING, 3)
        assert found.due_at is not None
        assert NOW <= found.due_at <= NOW + 32

    def test_it_goes_out_again_as_it_was(self, client: FakeClient, deliver: Deliver, clock: HandClock) -> None:
        client.answer = scripted(SYSTEM_ERROR)
        fill(1)
        deliver()
        clock.now += DAY
        deliver()

        assert client.bodies[0] == client.bodies[1]
        assert only_row().state == State.DELIVERED

    def test_both_attempts_are_in_its_log_in_order(
        self, client: FakeClient, deliver: Deliver, clock: HandClock
    ) -> None:
        client.answer = scripted(SYSTEM_ERROR)
        fill(1)
        deliver()
        clock.now += DAY
        deliver()
        outcomes = [Attempt.objects.get(pk=pk).outcome for pk in only_row().attempt_pks]

        assert outcomes == [Outcome.RETRY, Outcome.DELIVERED]

    def test_retry_after_is_the_floor(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(Answer(http_status=429, retry_after=1800.0))
        fill(1)
        deliver()

        assert only_row().due_at == NOW + 1800

    def test_a_restriction_is_waited_out(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(RETRY_SECONDS=0.01)
        words = "Due to too many requests, requests from App are temporarily restricted."
        client.answer = scripted(Answer(http_status=200, code=40100, message=words))
        fill(1)
        deliver()

        assert only_row().due_at == NOW + 300

    def test_no_pause_of_ours_is_longer_than_the_setting_allows(
        self, client: FakeClient, deliver: Deliver, configure: Configure
    ) -> None:
        configure(RETRY_SECONDS=0.01, RETRY_MAX_SECONDS=1)
        client.answer = scripted(Answer(http_status=200, code=60001, message="maintenance"))
        fill(1)
        deliver()

        assert only_row().due_at == NOW + 1

    def test_after_a_pause_the_lane_is_left(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(BATCH_SIZE=1)
        client.answer = scripted(SYSTEM_ERROR)
        fill(3)
        deliver()

        assert client.sizes == [1]

    def test_one_lanes_problem_does_not_hold_another(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(SYSTEM_ERROR)
        store([row(1, lane=1), row(2, lane=2)])
        deliver()

        assert delivered_ids() == {"order-2"}

    @pytest.mark.parametrize("answer", [TOO_MANY, SILENCE, REFUSED], ids=["too many", "silence", "refused"])
    def test_what_would_meet_every_lane_ends_the_run(
        self, client: FakeClient, deliver: Deliver, answer: Answer
    ) -> None:
        client.answer = scripted(answer)
        store([row(1, lane=1), row(2, lane=2)])
        deliver()

        assert client.sizes == [1]

    @pytest.mark.parametrize("answer", [SILENCE, SYSTEM_ERROR, Answer(http_status=502)])
    def test_an_unknown_fate_is_noted_with_the_time_of_its_post(
        self, client: FakeClient, deliver: Deliver, answer: Answer
    ) -> None:
        client.answer = scripted(answer)
        fill(1)
        deliver()

        assert only_row().unknown_since == NOW

    def test_its_first_moment_stands(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(SILENCE)
        fill(1, unknown_since=NOW - DAY)
        deliver()

        assert only_row().unknown_since == NOW - DAY

    @pytest.mark.parametrize("answer", [TOO_MANY, REFUSED, Answer(http_status=429)])
    def test_a_definite_refusal_raises_no_doubt(self, client: FakeClient, deliver: Deliver, answer: Answer) -> None:
        client.answer = scripted(answer)
        fill(1)
        deliver()

        assert only_row().unknown_since is None

    def test_a_code_of_unsure_meaning_is_tried_five_times_and_then_rejected(
        self, client: FakeClient, deliver: Deliver
    ) -> None:
        client.answer = lambda body: Answer(http_status=200, code=40016, message="Requests made too frequently")
        store([row(1, attempts=3), row(2, attempts=4)])
        deliver()
        weary, fresh = OutboxEvent.objects.get(event_id="order-2"), OutboxEvent.objects.get(event_id="order-1")

        assert (weary.state, weary.note) == (State.REJECTED, "Requests made too frequently")
        assert (fresh.state, fresh.attempts) == (State.WAITING, 4)


class TestGivenUp:
    def test_what_is_too_old_expires_with_its_reason(self, client: FakeClient, deliver: Deliver) -> None:
        fill(1, event_time=int(NOW) - 8 * DAY)

        assert deliver() == {"expired": 1}
        assert (only_row().state, only_row().due_at) == (State.EXPIRED, None)
        assert only_row().note == "Not delivered within 7 days of the event."

    def test_what_tiktok_may_have_is_not_repeated_after_47_hours(
        self, client: FakeClient, deliver: Deliver, clock: HandClock
    ) -> None:
        client.answer = scripted(SILENCE)
        fill(1)
        deliver()
        clock.now += 47 * 3600 + 1
        deliver()

        assert len(client.bodies) == 1
        assert only_row().state == State.EXPIRED
        assert only_row().note.startswith("TikTok may have it")

    def test_what_was_definitely_refused_is_repeated_after_47_hours(
        self, client: FakeClient, deliver: Deliver, clock: HandClock
    ) -> None:
        client.answer = scripted(REFUSED)
        fill(1)
        deliver()
        clock.now += 6 * DAY
        deliver()

        assert only_row().state == State.DELIVERED

    def test_the_fresh_ones_of_a_batch_go_all_the_same(self, client: FakeClient, deliver: Deliver) -> None:
        store([row(1), row(2, event_time=0), row(3, unknown_since=0.0), row(4, payload="")])
        deliver()

        assert states() == {State.DELIVERED: 1, State.EXPIRED: 3}

    def test_a_row_without_a_body_breaks_no_batch(self, client: FakeClient, deliver: Deliver) -> None:
        store([row(1), row(2, payload="")])
        deliver()

        assert client.sizes == [1]
