"""The stand-in over HTTP: its addresses, its connections, who may steer it."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import Any

import pytest

from tests.testing.samples import PIXEL, TOKEN, HandClock, ask, body, event, pixel_call, post_events
from tiktok_attribution.testing.server import StandIn

SHOP = "http://127.0.0.1:8000"


def test_success_has_the_documented_envelope(standin: StandIn) -> None:
    answer = post_events(standin, body()).json
    assert re.fullmatch(r"\d{14}[0-9A-F]{20}", answer.pop("request_id"))
    assert answer == {"code": 0, "message": "OK", "data": {}}


def test_refusals_come_with_http_200(standin: StandIn) -> None:
    response = ask(standin.api_url, body(), headers={"Access-Token": f"Bearer {TOKEN}"})
    assert (response.status, response.json["code"]) == (200, 40105)


def test_tokens_are_asked_for_when_given(clock: HandClock) -> None:
    with StandIn(tokens={PIXEL: "another"}, clock=clock) as standin:
        assert post_events(standin, body()).json["code"] == 40105


def test_both_channels_meet_in_one_event(standin: StandIn) -> None:
    ask(standin.pixel_url, pixel_call())
    post_events(standin, body())
    assert [(row.event_id, row.state, row.counted) for row in standin.ledger.events()] == [("order-1", "merged", 1)]


def test_test_events_are_not_counted(standin: StandIn) -> None:
    post_events(standin, body(test_event_code="TEST11178"))
    assert (standin.ledger.events(), len(standin.ledger.test_events())) == ([], 1)


@pytest.mark.parametrize("path", ["/open_api/v1.3/event/track", "/open_api/v1.3/pixel/track/", "/x"])
def test_another_address_is_40400(standin: StandIn, path: str) -> None:
    response = ask(standin.url + path, body(), headers={"Access-Token": TOKEN})
    assert (response.status, response.json["code"]) == (404, 40400)


def test_a_connection_serves_many_requests(standin: StandIn) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", standin.port, timeout=5)
    ports = set()
    for _ in range(3):
        connection.request("POST", "/open_api/v1.3/event/track/", body(), {"Access-Token": TOKEN})
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_a_body_without_a_length_is_refused(standin: StandIn) -> None:
    with socket.create_connection(("127.0.0.1", standin.port), timeout=5) as raw:
        raw.sendall(b"POST /open_api/v1.3/event/track/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411")


def test_a_huge_body_is_refused_unread(standin: StandIn) -> None:
    with socket.create_connection(("127.0.0.1", standin.port), timeout=5) as raw:
        raw.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_stop_drops_open_connections(clock: HandClock) -> None:
    standin = StandIn(clock=clock).start()
    connection = http.client.HTTPConnection("127.0.0.1", standin.port, timeout=5)
    connection.request("GET", "/standin/health")
    connection.getresponse().read()
    standin.stop()
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_stand_in_that_starts_again_keeps_its_port_and_memory(clock: HandClock) -> None:
    standin = StandIn(clock=clock).start()
    url = standin.url
    post_events(standin, body())
    standin.stop()
    standin.start()
    post_events(standin, body())
    standin.stop()
    assert (standin.url, standin.ledger.counts()["Purchase"].counted) == (url, 1)


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.2", "::"])
def test_only_loopback_addresses_are_listened_on(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        StandIn(host=host)


def test_events_js_is_served_and_counted(standin: StandIn) -> None:
    response = ask(f"{standin.script_url}?sdkid={PIXEL}&lib=ttq")
    assert response.headers["Content-Type"].startswith("text/javascript")
    assert standin.notes.script_loads() == {PIXEL: 1}


def test_the_pixel_may_be_called_from_any_site(standin: StandIn) -> None:
    headers = ask(standin.pixel_url, pixel_call(), headers={"Origin": SHOP}).headers
    assert headers["Access-Control-Allow-Origin"] == SHOP


def test_the_pixel_answers_a_preflight(standin: StandIn) -> None:
    response = ask(standin.pixel_url, method="OPTIONS", headers={"Origin": SHOP})
    assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, SHOP)


def test_the_events_api_is_not_open_to_other_sites(standin: StandIn) -> None:
    assert ask(standin.api_url, method="OPTIONS", headers={"Origin": SHOP}).status == 404


def test_a_broken_pixel_call_is_noted(standin: StandIn) -> None:
    response = ask(standin.pixel_url, b"[]")
    assert response.json["code"] == 40002
    assert [one.channel for one in standin.notes.answers()] == ["browser"]


def test_health(standin: StandIn) -> None:
    assert ask(standin.url + "/standin/health").json == {"ok": True}


def state_of(standin: StandIn) -> Any:
    return ask(standin.url + "/standin/state.json").json


def test_state_tells_rows_and_counts(standin: StandIn) -> None:
    post_events(standin, body())
    state = state_of(standin)
    assert state["counts"] == {"Purchase": {"browser": 0, "server": 1, "counted": 1}}
    assert (state["events"][0]["event_id"], state["events"][0]["state"]) == ("order-1", "server only")


@pytest.mark.privacy
def test_state_holds_names_of_matching_keys_only(standin: StandIn) -> None:
    post_events(standin, body())
    text = json.dumps(state_of(standin))
    assert TOKEN not in text
    assert "973dfe463ec8" not in text


def test_arrivals_hold_the_bodies(standin: StandIn) -> None:
    post_events(standin, body())
    (arrival,) = ask(standin.url + "/standin/arrivals.json").json["arrivals"]
    assert arrival["body"] == event()


def control(standin: StandIn, order: Any, path: str = "/standin/faults", *, origin: str = "") -> Any:
    headers = {"Origin": origin} if origin else {}
    return ask(standin.url + path, json.dumps(order).encode(), headers=headers)


def test_another_process_arms_a_fault(standin: StandIn) -> None:
    assert control(standin, {"name": "rate_limited"}).json["faults"] == [{"name": "rate_limited"}]
    assert post_events(standin, body()).json["code"] == 40100


def test_another_process_clears_and_arms_at_once(standin: StandIn) -> None:
    standin.faults.add("reset", times=None)
    answer = control(standin, {"clear": True, "latency_ms": 5, "add": [{"name": "hang", "seconds": 1}]}).json
    assert answer == {"faults": [{"name": "hang", "seconds": 1}], "latency_ms": 5}


@pytest.mark.parametrize(
    "order",
    [[], {"nmae": "x"}, {"name": "x"}, {"add": {}}, {"add": [{}]}, {"latency_ms": -1}, {"latency_ms": True}],
)
def test_a_wrong_order_changes_nothing_and_says_why(standin: StandIn, order: Any) -> None:
    standin.faults.add("reset")
    response = control(standin, order)
    assert (response.status, bool(response.json["error"])) == (400, True)
    assert [fault.name for fault in standin.faults.active()] == ["reset"]


def test_a_reset_forgets_arrivals_answers_and_faults(standin: StandIn) -> None:
    post_events(standin, body(event(event_id=None)))
    standin.faults.add("reset")
    control(standin, {}, "/standin/reset")
    state = state_of(standin)
    assert [state[key] for key in ("events", "answers", "remarks", "faults")] == [[], [], [], []]


CONTROL = ["/", "/standin/live.html", "/standin/state.json", "/standin/arrivals.json"]


@pytest.mark.parametrize("path", CONTROL)
@pytest.mark.parametrize("origin", [SHOP, "null", "https://evil.example"])
def test_other_sites_may_not_look(standin: StandIn, path: str, origin: str) -> None:
    assert ask(standin.url + path, headers={"Origin": origin}).status == 403


@pytest.mark.parametrize("path", ["/standin/faults", "/standin/reset"])
@pytest.mark.parametrize("origin", [SHOP, "null", "https://evil.example"])
def test_other_sites_may_not_control(standin: StandIn, path: str, origin: str) -> None:
    post_events(standin, body())
    assert control(standin, {"name": "reset"}, path, origin=origin).status == 403
    assert (len(standin.faults.active()), len(standin.ledger.arrivals())) == (0, 1)


@pytest.mark.parametrize("path", CONTROL)
def test_a_name_that_was_made_to_point_here_is_refused(standin: StandIn, path: str) -> None:
    assert ask(standin.url + path, headers={"Host": f"evil.example:{standin.port}"}).status == 403


def test_its_own_page_may_control(standin: StandIn) -> None:
    assert control(standin, {"name": "reset"}, origin=standin.url).status == 200


@pytest.mark.parametrize("path", ["/standin/faults", "/standin/reset"])
def test_a_get_changes_nothing(standin: StandIn, path: str) -> None:
    post_events(standin, body())
    assert ask(standin.url + path).status == 404
    assert len(standin.ledger.arrivals()) == 1
