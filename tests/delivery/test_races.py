"""What happens while a POST is on its way: a stop, a cancellation, another worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import (
    OK,
    PIXEL,
    REVOKED,
    SYSTEM_ERROR,
    FakeClient,
    fill,
    only_row,
    row,
    scripted,
    states,
    store,
)
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, Lane, OutboxEvent, Outcome, PixelStatus, State

pytestmark = pytest.mark.django_db


class TestStopped:
    def test_its_events_wait(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(REVOKED)
        fill(3)
        deliver()

        assert states() == {State.WAITING: 3}
        assert PixelStatus.objects.get().code == 40105

    def test_nothing_more_is_sent(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(REVOKED)
        store([row(1, lane=1), row(2, lane=2)])
        deliver()
        deliver()

        assert len(client.bodies) == 1

    def test_a_new_token_lets_them_go(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        client.answer = scripted(REVOKED)
        fill(3)
        deliver()
        configure(ACCESS_TOKEN="a-new-token")
        deliver()

        assert states() == {State.DELIVERED: 3}
        assert client.tokens[-1] == "a-new-token"

    def test_without_a_token_nothing_is_sent(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(ACCESS_TOKEN="")
        fill(1)
        deliver()

        assert client.bodies == []
        assert PixelStatus.objects.get().message.startswith("No access token is configured")

    def test_the_stop_stands_in_the_events_log(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(REVOKED)
        fill(1)
        deliver()

        assert only_row().attempt_pks == [Attempt.objects.get(outcome=Outcome.STOP).pk]


class TestCalledOffMeanwhile:
    def call_off(self, answer: Answer) -> Callable[[bytes], Answer]:
        def during_the_post(body: bytes) -> Answer:
            OutboxEvent.objects.update(state=State.CANCELLED, due_at=None)
            return answer

        return during_the_post

    @pytest.mark.parametrize("answer", [SYSTEM_ERROR, REVOKED, Answer(http_status=200, code=40002, message="bad")])
    def test_it_stays_so_unless_tiktok_has_it(self, client: FakeClient, deliver: Deliver, answer: Answer) -> None:
        client.answer = self.call_off(answer)
        fill(1)
        deliver()

        assert (only_row().state, only_row().due_at) == (State.CANCELLED, None)

    def test_it_is_delivered_where_tiktok_has_it(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = self.call_off(OK)
        fill(1)
        deliver()

        assert only_row().state == State.DELIVERED

    def test_rows_that_were_erased_meanwhile_do_no_harm(self, client: FakeClient, deliver: Deliver) -> None:
        def erase(body: bytes) -> Answer:
            OutboxEvent.objects.all().delete()
            return OK

        client.answer = erase
        fill(2)
        deliver()

        assert states() == {}


class TestLeaseLost:
    def taken_over(self, answer: Answer) -> Callable[[bytes], Answer]:
        def during_the_post(body: bytes) -> Answer:
            Lane.objects.update(holder="somebody-else", in_flight="")
            return answer

        return during_the_post

    @pytest.mark.parametrize("answer", [OK, SYSTEM_ERROR, Answer(http_status=200, code=40002, message="bad")])
    def test_a_late_worker_marks_nothing(self, client: FakeClient, deliver: Deliver, answer: Answer) -> None:
        client.answer = self.taken_over(answer)
        fill(2)
        before = list(OutboxEvent.objects.order_by("pk").values())
        deliver()

        assert list(OutboxEvent.objects.order_by("pk").values()) == before
        assert Attempt.objects.count() == 0

    def test_a_late_worker_sends_no_more(self, client: FakeClient, deliver: Deliver, configure: Configure) -> None:
        configure(BATCH_SIZE=1)
        client.answer = self.taken_over(OK)
        fill(2)
        deliver()

        assert len(client.bodies) == 1

    def test_a_late_worker_says_so(
        self, client: FakeClient, deliver: Deliver, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.answer = self.taken_over(OK)
        fill(1)
        deliver()

        assert f"lane {PIXEL}/0 is another worker's now" in caplog.text
