"""Each fault as a client meets it over HTTP, and how the queue of faults is used up."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest

from tests.testing.samples import PIXEL, HandClock, ask, body, event, post_events
from tiktok_attribution.testing.faults import FAULT_TYPES, OURS, Fault, Faults
from tiktok_attribution.testing.server import StandIn

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("rate_limited", 200, 40100),
        ("rate_limited_401", 401, 40100),
        ("http_500_code_0", 500, 0),
        ("token_revoked", 200, 40105),
        ("no_permission", 200, 40001),
        ("system_error", 200, 50000),
        ("maintenance", 200, 60001),
        ("bad_event", 200, 40002),
        ("bad_event_unnamed", 200, 40002),
        ("partial_ok", 200, 20001),
    ],
)
def test_faults_with_a_code(standin: StandIn, name: str, status: int, code: int) -> None:
    standin.faults.add(name)
    response = post_events(standin, body())
    assert (response.status, response.json["code"]) == (status, code)


@pytest.mark.parametrize(
    ("name", "status", "start"),
    [
        ("http_429", 429, b""),
        ("http_500", 500, b""),
        ("http_502_html", 502, b"<html>"),
        ("http_503", 503, b'{"error"'),
        ("token_401", 401, b"{}"),
        ("empty_body", 200, b""),
        ("not_json", 200, b"<html>"),
    ],
)
def test_faults_without_a_code(standin: StandIn, name: str, status: int, start: bytes) -> None:
    standin.faults.add(name)
    response = post_events(standin, body())
    assert response.status == status
    assert response.raw.startswith(start)
    assert b'"code"' not in response.raw


@pytest.mark.parametrize("name", [name for name, kind in FAULT_TYPES.items() if kind.answer and not kind.accepts])
def test_a_refusing_fault_takes_no_event(standin: StandIn, name: str) -> None:
    standin.faults.add(name)
    post_events(standin, body())
    assert standin.ledger.arrivals() == []


@pytest.mark.parametrize("name", ["system_error", "maintenance", "partial_ok"])
def test_wordings_that_were_not_seen_are_marked_as_ours(standin: StandIn, name: str) -> None:
    standin.faults.add(name)
    assert post_events(standin, body()).json["message"].startswith(OURS)


def test_http_429_says_when_to_come_back(standin: StandIn) -> None:
    standin.faults.add("http_429", retry_after=7)
    assert post_events(standin, body()).headers["Retry-After"] == "7"


def test_no_permission_names_the_pixel(standin: StandIn) -> None:
    standin.faults.add("no_permission")
    assert f"pixel code: {PIXEL}." in post_events(standin, body()).json["message"]


def test_a_bad_event_is_named_by_its_index(standin: StandIn) -> None:
    standin.faults.add("bad_event", index=2)
    assert post_events(standin, body(*[event()] * 3)).json["message"].startswith("Batch.2.")


@pytest.mark.parametrize(("named", "start"), [(True, "Batch.1."), (False, "Invalid value for event_id")])
def test_a_poisonous_event_spoils_every_request_it_is_in(standin: StandIn, named: bool, start: str) -> None:
    standin.faults.poison("order-2", named=named)
    together = body(event(), event(event_id="order-2"))
    messages = [post_events(standin, together).json["message"] for _ in range(2)]
    assert all(message.startswith(start) for message in messages)


def test_a_request_without_the_poisonous_event_goes_through(standin: StandIn) -> None:
    standin.faults.poison("order-2")
    assert post_events(standin, body()).json["code"] == 0


def test_partial_success_leaves_the_named_row_out(standin: StandIn) -> None:
    standin.faults.add("partial_ok", event_id="order-2")
    post_events(standin, body(event(), event(event_id="order-2"), event(event_id="order-3")))
    assert [one.event_id for one in standin.ledger.arrivals()] == ["order-1", "order-3"]


def test_partial_success_does_not_cover_a_request_that_is_wrong(standin: StandIn) -> None:
    standin.faults.add("partial_ok")
    assert post_events(standin, body(event(event_id=7))).json["code"] == 40002


def test_an_answer_made_to_order(standin: StandIn) -> None:
    standin.faults.add("answer", code=40999, message="new", http_status=418)
    response = post_events(standin, body())
    assert (response.status, response.json["code"], response.json["message"]) == (418, 40999, "new")


@pytest.mark.parametrize(("accept", "taken"), [(None, 0), (True, 1)])
def test_a_reset_connection(standin: StandIn, accept: bool | None, taken: int) -> None:
    standin.faults.add("reset", accept=accept)
    with pytest.raises(ConnectionResetError):
        post_events(standin, body())
    assert len(standin.ledger.arrivals()) == taken


@pytest.mark.parametrize(("accept", "taken"), [(None, 0), (True, 1)])
def test_silence_outlasts_the_clients_patience(standin: StandIn, accept: bool | None, taken: int) -> None:
    standin.faults.add("hang", seconds=30, accept=accept)
    with pytest.raises(TimeoutError):
        post_events(standin, body(), timeout=0.2)
    assert len(standin.ledger.arrivals()) == taken


def test_silence_ends_without_an_answer(standin: StandIn) -> None:
    standin.faults.add("hang", seconds=0.05)
    with pytest.raises(http.client.RemoteDisconnected):
        post_events(standin, body())


def test_silence_with_acceptance_ends_with_the_real_answer(standin: StandIn) -> None:
    standin.faults.add("hang", seconds=0.05, accept=True)
    assert post_events(standin, body()).json["code"] == 0


def test_stopping_does_not_wait_for_a_hanging_request(clock: HandClock) -> None:
    standin = StandIn(clock=clock).start()
    standin.faults.add("hang", seconds=30)
    with pytest.raises(TimeoutError):
        post_events(standin, body(), timeout=0.1)
    started = time.monotonic()
    standin.stop()
    assert time.monotonic() - started < 5


def test_a_slow_body_arrives_whole(standin: StandIn) -> None:
    standin.faults.add("slow_body", seconds=0.3)
    started = time.monotonic()
    response = post_events(standin, body())
    assert response.json["code"] == 0
    assert time.monotonic() - started >= 0.25


def test_a_slow_body_outlasts_the_clients_patience(standin: StandIn) -> None:
    standin.faults.add("slow_body", seconds=60)
    with pytest.raises(TimeoutError):
        post_events(standin, body(), timeout=0.2)


def test_latency_slows_every_answer(standin: StandIn) -> None:
    standin.faults.latency_ms = 120
    started = time.monotonic()
    post_events(standin, body())
    assert time.monotonic() - started >= 0.12


def test_the_answer_is_noted_with_the_fault(standin: StandIn) -> None:
    standin.faults.add("rate_limited")
    post_events(standin, body())
    assert [(one.code, one.fault) for one in standin.notes.answers()] == [(40100, "rate_limited")]


def test_the_browser_is_spared(standin: StandIn) -> None:
    standin.faults.add("http_500", times=None)
    assert ask(standin.pixel_url, b'{"type":"remark","text":"x"}').status == 200


def names_taken(faults: Faults, times: int, *, pixel: str = PIXEL, event_ids: Any = ("a",)) -> list[str]:
    hits = (faults.take(pixel, event_ids) for _ in range(times))
    return [hit.fault.name if hit else "" for hit in hits]


def test_faults_fall_in_the_order_they_were_armed() -> None:
    faults = Faults()
    faults.add("http_500", times=2)
    faults.add("http_503")
    assert names_taken(faults, 4) == ["http_500", "http_500", "http_503", ""]


def test_a_fault_without_times_stays_until_cleared() -> None:
    faults = Faults()
    faults.add("http_500", times=None)
    names_taken(faults, 3)
    faults.clear()
    assert names_taken(faults, 1) == [""]


def test_a_fault_for_one_pixel_spares_the_others() -> None:
    faults = Faults()
    faults.add("http_500", pixel="C0OTHER")
    assert names_taken(faults, 1) == [""]
    assert names_taken(faults, 1, pixel="C0OTHER") == ["http_500"]


def test_probability_with_a_seed_repeats_itself() -> None:
    def falls(seed: int) -> list[str]:
        faults = Faults(seed=seed)
        faults.add("http_500", times=None, probability=0.5)
        return names_taken(faults, 40)

    assert falls(7) == falls(7)
    assert 5 < falls(7).count("http_500") < 35


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], "object"),
        ({}, "needs a name"),
        ({"name": "http_418"}, "http_500"),
        ({"name": "reset", "time": 3}, "'time'"),
        ({"name": "reset", "times": "3"}, "times"),
        ({"name": "reset", "times": True}, "times"),
        ({"name": "reset", "times": 0}, "at least 1"),
        ({"name": "reset", "accept": 1}, "accept"),
    ],
)
def test_what_is_no_fault_is_told_why(record: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Fault.from_json(record)


def test_a_fault_is_read_from_json() -> None:
    assert Fault.from_json({"name": "hang", "times": None, "seconds": 1}) == Fault(name="hang", times=None, seconds=1)
