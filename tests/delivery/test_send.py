"""Delivery as a whole: the real client, over real sockets, to the stand-in, outside any transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from tests.delivery.conftest import Configure, Deliver
from tests.delivery.samples import (
    BAD,
    DAY,
    NOW,
    PIXEL,
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
from tests.engines.server import free_port
from tiktok_attribution.delivery import lanes, pixel_sender, pixels
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, State
from tiktok_attribution.signals import batch_attempted
from tiktok_attribution.testing.server import StandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _one_lane(tiktok_standin: StandIn, configure: Configure) -> None:
    configure(LANES=1, TIMEOUT_SECONDS=2)


def posts(standin: StandIn) -> int:
    """How many requests the stand-in has answered, or not answered."""
    return len(standin.exchange.notes.answers())


def counted(standin: StandIn) -> int:
    """How many events TikTok would count."""
    return sum(found.counted for found in standin.ledger.events())


class TestTheStandIn:
    def test_counts_1000_events_from_one_request(self, tiktok_standin: StandIn, deliver: Deliver) -> None:
        fill(1000)
        deliver()

        assert (posts(tiktok_standin), counted(tiktok_standin)) == (1, 1000)
        assert states() == {State.DELIVERED: 1000}

    def test_gives_the_request_id_that_is_recorded(self, tiktok_standin: StandIn, deliver: Deliver) -> None:
        fill(1)
        deliver()
        attempt = Attempt.objects.get()

        assert attempt.request_id == tiktok_standin.exchange.notes.answers()[0].request_id
        assert (attempt.http_status, attempt.code, attempt.message) == (200, 0, "OK")
        assert attempt.duration_seconds is not None
        assert attempt.duration_seconds > 0

    @pytest.mark.parametrize("named", [True, False])
    def test_gets_999_of_1000_where_one_is_bad(self, tiktok_standin: StandIn, deliver: Deliver, *, named: bool) -> None:
        tiktok_standin.faults.poison("order-617", named=named)
        fill(1000)
        deliver()
        dead = OutboxEvent.objects.get(state=State.REJECTED)

        assert states() == {State.DELIVERED: 999, State.REJECTED: 1}
        assert (dead.event_id, counted(tiktok_standin)) == ("order-617", 999)
        assert posts(tiktok_standin) <= (2 if named else 12)

    def test_gets_all_but_two(self, tiktok_standin: StandIn, deliver: Deliver) -> None:
        tiktok_standin.faults.poison("order-3", named=False)
        tiktok_standin.faults.poison("order-600", named=False)
        fill(1000)
        deliver()

        assert delivered_ids() == {f"order-{number}" for number in range(1000)} - {"order-3", "order-600"}
        assert counted(tiktok_standin) == 998

    def test_gets_a_partial_success_kept_with_its_warning(self, tiktok_standin: StandIn, deliver: Deliver) -> None:
        tiktok_standin.faults.add("partial_ok", index=0)
        fill(1)
        deliver()

        assert only_row().state == State.DELIVERED
        assert only_row().note.startswith("Accepted with code 20001: ")

    @pytest.mark.parametrize(
        "fault",
        [
            *("rate_limited", "rate_limited_401", "http_429", "http_500", "http_500_code_0", "http_502_html"),
            *("http_503", "system_error", "maintenance", "empty_body", "not_json", "reset"),
        ],
    )
    def test_is_asked_again_after_a_passing_fault_and_counts_once(
        self, tiktok_standin: StandIn, deliver: Deliver, clock: HandClock, fault: str
    ) -> None:
        tiktok_standin.faults.add(fault)
        fill(3)
        deliver()
        waiting = states()
        clock.now += DAY
        deliver()

        assert waiting == {State.WAITING: 3}
        assert states() == {State.DELIVERED: 3}
        assert counted(tiktok_standin) == 3

    @pytest.mark.parametrize("fault", ["reset", "hang"])
    def test_counts_once_what_it_took_without_an_answer(
        self, tiktok_standin: StandIn, deliver: Deliver, clock: HandClock, configure: Configure, fault: str
    ) -> None:
        configure(TIMEOUT_SECONDS=0.3)
        tiktok_standin.faults.add(fault, accept=True, seconds=1.0)
        fill(2)
        deliver()
        doubt = set(OutboxEvent.objects.values_list("unknown_since", flat=True))
        clock.now += DAY
        deliver()

        assert doubt == {NOW}
        assert states() == {State.DELIVERED: 2}
        assert [(found.counted, found.repeats) for found in tiktok_standin.ledger.events()] == [(1, 1), (1, 1)]

    @pytest.mark.parametrize("fault", ["token_revoked", "token_401", "no_permission"])
    def test_stops_a_pixel_until_it_is_resumed(self, tiktok_standin: StandIn, deliver: Deliver, fault: str) -> None:
        tiktok_standin.faults.add(fault)
        fill(3)
        deliver()
        deliver()
        waiting, asked = states(), posts(tiktok_standin)
        pixels.resume("default", PIXEL)
        deliver()

        assert (waiting, asked) == ({State.WAITING: 3}, 1)
        assert states() == {State.DELIVERED: 3}

    def test_is_unreachable_without_any_doubt(self, deliver: Deliver, configure: Configure) -> None:
        configure(API_URL=f"http://127.0.0.1:{free_port()}/")
        fill(1)
        deliver()

        assert (only_row().state, only_row().unknown_since) == (State.WAITING, None)
        assert Attempt.objects.get().message.startswith("127.0.0.1 could not be reached.")

    def test_gets_an_event_again_as_it_was_after_a_crash_and_counts_it_once(
        self, tiktok_standin: StandIn, deliver: Deliver, clock: HandClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = pixel_sender.Client

        class Crashing(real):  # type: ignore[misc, valid-type]
            def post(self, token: str, body: bytes) -> Answer:
                super().post(token, body)
                raise SystemExit("the process ends before it has marked anything")

        fill(2)
        with monkeypatch.context() as patch:
            patch.setattr(pixel_sender, "Client", Crashing)
            with pytest.raises(SystemExit):
                deliver()
        deliver()
        while_the_lease_holds = states()
        clock.now += 61
        deliver()
        arrivals = tiktok_standin.ledger.arrivals("server", event="Purchase")

        assert while_the_lease_holds == {State.WAITING: 2}
        assert states() == {State.DELIVERED: 2}
        assert counted(tiktok_standin) == 2
        assert [one.body for one in arrivals[:2]] == [one.body for one in arrivals[2:]]

    def test_gets_what_a_crash_left_with_the_crash_in_its_log(self, deliver: Deliver, clock: HandClock) -> None:
        fill(1)
        lease = lanes.lease("default", PIXEL, 0, now=NOW, seconds=60)
        assert lease is not None
        lease.take("the-dead-workers", [only_row().pk], now=NOW, seconds=60)
        clock.now += 61
        deliver()
        outcomes = [Attempt.objects.get(pk=pk).outcome for pk in only_row().attempt_pks]

        assert outcomes == [Outcome.UNKNOWN, Outcome.DELIVERED]


class TestAroundThePost:
    def test_no_transaction_is_open_during_a_post(self, client: FakeClient, deliver: Deliver) -> None:
        client.answer = scripted(BAD)
        fill(4)
        deliver()

        assert len(client.in_transaction) > 2
        assert not any(client.in_transaction)

    def test_listeners_hear_of_each_attempt(self, deliver: Deliver) -> None:
        heard: list[Attempt] = []

        def listen(attempt: Attempt, **kwargs: Any) -> None:
            heard.append(attempt)

        batch_attempted.connect(listen)
        fill(1)
        deliver()
        batch_attempted.disconnect(listen)

        assert heard == [Attempt.objects.get()]

    def test_a_listener_that_fails_does_no_harm(self, deliver: Deliver) -> None:
        def fail(**kwargs: Any) -> None:
            raise RuntimeError

        batch_attempted.connect(fail)
        fill(1)
        deliver()
        batch_attempted.disconnect(fail)

        assert only_row().state == State.DELIVERED


class TestSeveralPixels:
    @pytest.fixture
    def everywhere(self, clock: HandClock) -> Callable[[], Any]:
        return lambda: pixel_sender.deliver_all(clock=clock)

    def test_all_are_delivered(self, tiktok_standin: StandIn, everywhere: Callable[[], Any]) -> None:
        store([row(1, pixel_code="PIXELA"), row(1, pixel_code="PIXELB")])

        assert everywhere() == {"delivered": 2, "posts": 2}

    @pytest.mark.parametrize("fault", ["token_revoked", "http_500", "rate_limited", "reset", "bad_event_unnamed"])
    def test_one_pixels_problem_does_not_hold_another(
        self, tiktok_standin: StandIn, everywhere: Callable[[], Any], fault: str
    ) -> None:
        tiktok_standin.faults.add(fault, pixel="PIXELA", times=None)
        store([row(1, pixel_code="PIXELA"), row(1, pixel_code="PIXELB")])
        everywhere()

        assert OutboxEvent.objects.get(pixel_code="PIXELA").state != State.DELIVERED
        assert OutboxEvent.objects.get(pixel_code="PIXELB").state == State.DELIVERED

    def test_a_pixel_that_never_answers_costs_the_next_one_time_out_whatever_waits(
        self, tiktok_standin: StandIn, everywhere: Callable[[], Any], configure: Configure
    ) -> None:
        configure(TIMEOUT_SECONDS=0.2)
        tiktok_standin.faults.add("hang", pixel="PIXELA", times=None, seconds=2.0)
        store([row(number, pixel_code="PIXELA", lane=number) for number in range(4)])
        store([row(1, pixel_code="PIXELB")])
        counts = everywhere()

        assert counts["delivered"] == 1
        assert counts["posts"] in (2, 3)  # two lanes of its four at once, where the database has several writers

    def test_what_nobody_foresaw_for_one_pixel_does_not_hold_another(
        self, everywhere: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        real = pixels.token_to_send_with

        def fail_for_one(using: str, pixel_code: str) -> str:
            if pixel_code == "PIXELA":
                raise RuntimeError
            return real(using, pixel_code)

        monkeypatch.setattr(pixels, "token_to_send_with", fail_for_one)
        store([row(1, pixel_code="PIXELA"), row(1, pixel_code="PIXELB")])

        assert everywhere() == {"delivered": 1, "posts": 1, "failed": 1}
        assert "tiktok pixel PIXELA: its events in 'default' could not be sent" in caplog.text

    def test_each_has_its_own_token_and_its_own_state(
        self, tiktok_standin: StandIn, everywhere: Callable[[], Any], configure: Configure
    ) -> None:
        configure(ACCESS_TOKEN={"PIXELB": "token"})
        store([row(1, pixel_code="PIXELA"), row(1, pixel_code="PIXELB")])
        everywhere()

        assert [status.pixel_code for status in PixelStatus.objects.all()] == ["PIXELA"]
        assert delivered_ids() == {"order-1"}

    def test_a_database_that_holds_no_outbox_is_named_and_passed_over(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def missing(using: str) -> list[str]:
            if using == "legacy":
                raise DatabaseError("no such table")
            return [PIXEL]

        monkeypatch.setattr(pixel_sender, "outbox_databases", lambda: ["legacy", "default"])
        monkeypatch.setattr(pixel_sender.lanes, "pixels_with_work", missing)

        assert list(pixel_sender.work_everywhere()) == [("default", PIXEL)]
        assert "the outbox in database 'legacy' can't be read (DatabaseError)" in caplog.text
