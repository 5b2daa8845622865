"""The client against answers of every kind: made by `responses`, and by a bare socket where bytes and time matter."""

from __future__ import annotations

import json
import logging
import socket
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from requests import exceptions as failures

from tests.delivery.samples import TOKEN
from tests.delivery.wire import http, reset, wire
from tests.engines.server import free_port
from tiktok_attribution.delivery.client import Client, _seconds
from tiktok_attribution.delivery.responses import Answer

API = "https://business-api.example/open_api/v1.3/event/track/"
OK = b'{"code": 0, "message": "OK", "request_id": "R1", "data": {}}'


def ask(body: str | bytes | Exception = OK, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """One POST whose answer is made up."""
    with responses.RequestsMock() as mock, Client(API, 5) as client:
        mock.post(API, body=body, status=status, headers=headers or {})
        return client.post(TOKEN, b'{"data":[]}')


def ask_at(url: str, *, seconds: float = 0.4) -> Answer:
    with Client(url, seconds) as client:
        return client.post(TOKEN, b'{"data":[]}')


def test_an_answer_is_read() -> None:
    answer = ask()

    assert (answer.http_status, answer.code, answer.message, answer.request_id) == (200, 0, "OK", "R1")


def test_the_token_goes_bare_into_its_header_and_the_body_as_it_is() -> None:
    with responses.RequestsMock() as mock, Client(API, 5) as client:
        mock.post(
            API,
            body=OK,
            match=[
                responses.matchers.header_matcher({"Access-Token": TOKEN, "Content-Type": "application/json"}),
                responses.matchers.body_matcher('{"data":[]}'),
            ],
        )

        client.post(TOKEN, b'{"data":[]}')


@pytest.mark.parametrize("body", ["", "<html>502 Bad Gateway</html>", "[]", "null", "[" * 100_000, "\xff\xfe"])
@pytest.mark.parametrize("status", [200, 502])
def test_what_is_not_tiktoks_json_has_no_code(body: str, status: int) -> None:
    answer = ask(body, status=status)

    assert (answer.http_status, answer.code, answer.message) == (status, None, "The answer is not TikTok's JSON.")


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            sent += connection.send(b"x" * 65_536)

    with wire(endless) as server:
        answer = ask_at(server.url, seconds=3)

    assert answer.code is None
    assert sent < 100_000_000


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_an_answer_that_drips_is_a_time_out(part: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(part)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    with wire(drip) as server:
        started = time.monotonic()
        answer = ask_at(server.url, seconds=0.4)
        took = time.monotonic() - started

    assert took < 2
    assert (answer.http_status, answer.unreachable) == (None, False)
    assert answer.message == "No whole answer within 0.4 seconds."


def test_silence_is_a_time_out() -> None:
    with wire(lambda connection: time.sleep(1)) as server:
        answer = ask_at(server.url, seconds=0.2)

    assert answer.message == "No whole answer within 0.2 seconds."


def test_a_slow_answer_within_its_time_is_read() -> None:
    def slowly(connection: socket.socket) -> None:
        for position in range(0, len(whole), 20):
            connection.sendall(whole[position : position + 20])
            time.sleep(0.01)

    whole = http(OK)
    with wire(slowly) as server:
        assert ask_at(server.url, seconds=5).code == 0


def test_each_answer_on_a_kept_connection_has_its_whole_time() -> None:
    def half_of_the_time(connection: socket.socket) -> None:
        time.sleep(0.3)
        connection.sendall(http(OK))

    with wire(half_of_the_time) as server, Client(server.url, 0.5) as client:
        codes = [client.post(TOKEN, b"{}").code for _ in range(3)]

    assert (codes, server.connections) == ([0, 0, 0], 1)


def test_one_connection_is_kept_over_several_posts() -> None:
    with wire(lambda connection: connection.sendall(http(OK))) as server, Client(server.url, 5) as client:
        for _ in range(5):
            client.post(TOKEN, b"{}")

    assert (len(server.requests), server.connections) == (5, 1)


def test_an_answer_without_a_body_keeps_the_connection() -> None:
    with wire(lambda connection: connection.sendall(http(b"", status="500 X"))) as server, Client(server.url, 5) as own:
        for _ in range(3):
            own.post(TOKEN, b"{}")

    assert server.connections == 1


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    def close_after(connection: socket.socket) -> None:
        connection.sendall(http(OK))
        connection.shutdown(socket.SHUT_RDWR)

    with wire(close_after) as server, Client(server.url, 5) as client:
        first = client.post(TOKEN, b"{}")
        time.sleep(0.1)
        second = client.post(TOKEN, b"{}")

    assert (first.code, second.code, server.connections) == (0, 0, 2)


def test_a_reset_after_the_request_leaves_its_fate_open() -> None:
    with wire(reset) as server:
        answer = ask_at(server.url)

    assert (answer.http_status, answer.unreachable) == (None, False)
    assert answer.message == "The connection broke off before the answer was whole."


def test_a_reset_before_the_request_was_read_leaves_its_fate_open() -> None:
    def soon(connection: socket.socket) -> None:
        time.sleep(0.1)  # at once, the connection itself would fail
        reset(connection)

    with wire(soon, before_reading=True) as server:
        answer = ask_at(server.url)

    assert (answer.http_status, answer.unreachable) == (None, False)


def test_an_answer_that_is_cut_short_leaves_its_fate_open() -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(http(OK)[:-10])
        connection.close()

    with wire(cut) as server:
        answer = ask_at(server.url)

    assert (answer.http_status, answer.unreachable) == (None, False)


def test_a_refused_connection_was_never_sent() -> None:
    answer = ask_at(f"http://127.0.0.1:{free_port()}/")

    assert answer.unreachable
    assert answer.message == "127.0.0.1 could not be reached. Check the network, the proxy and API_URL."


def test_a_name_that_nobody_knows_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert ask_at("http://business-api.invalid/").unreachable


def test_a_proxy_that_is_away_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)

    assert ask_at("http://business-api.invalid/").unreachable


def test_an_answer_through_a_proxy_is_bounded_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.05)

    with wire(drip) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        started = time.monotonic()
        ask_at("http://business-api.invalid/", seconds=0.3)

        assert time.monotonic() - started < 2


@pytest.mark.parametrize("error", [failures.ConnectTimeout(), failures.InvalidURL("https://")])
def test_failures_before_any_connection_were_never_sent(error: Exception) -> None:
    assert ask(error).unreachable


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (failures.SSLError("bad"), "The TLS certificate of business-api.example could not be verified"),
        (failures.ReadTimeout(), "No whole answer within 5 seconds."),
        (requests.ConnectionError(), "The connection broke off"),
        (failures.ChunkedEncodingError(), "The connection broke off"),
        (failures.ContentDecodingError(), "The request failed: ContentDecodingError."),
        (OSError(9, "Bad file descriptor"), "The connection broke off"),
    ],
)
def test_every_failure_of_the_network_becomes_an_answer_in_words(error: Exception, message: str) -> None:
    answer = ask(error)

    assert answer.message.startswith(message)
    assert not answer.unreachable


def test_a_redirect_is_not_followed() -> None:
    with responses.RequestsMock() as mock, Client(API, 5) as client:
        mock.post(API, status=302, headers={"Location": "https://elsewhere.example/"})
        answer = client.post(TOKEN, b"{}")

        assert len(mock.calls) == 1
    assert answer.http_status == 302


def test_retry_after_in_seconds_is_read() -> None:
    assert ask(b"", status=429, headers={"Retry-After": "7"}).retry_after == 7


def test_retry_after_as_a_date_is_read() -> None:
    then = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)

    assert ask(b"", status=429, headers={"Retry-After": then}).retry_after == pytest.approx(90, abs=5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("nan", None),
        ("-5", 0),
        ("inf", 86_400),
        ("1e9", 86_400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 -0000", 86_400),
    ],
)
def test_a_strange_retry_after_does_no_harm(text: str, seconds: float | None) -> None:
    assert _seconds(text) == seconds


@given(st.text(max_size=40) | st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S -0000")))
def test_no_retry_after_raises(text: str) -> None:
    found = _seconds(text)

    assert found is None or 0 <= found <= 86_400


@pytest.mark.privacy
@pytest.mark.parametrize("key", ["message", "request_id"])
def test_a_token_that_is_echoed_is_taken_out(key: str) -> None:
    answer = ask(json.dumps({"code": 40105, key: f"bad {TOKEN}!"}), status=401)

    assert getattr(answer, key) == "bad [token]!"


@pytest.mark.privacy
def test_the_token_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with wire(reset) as server, Client(server.url, 1) as client:
        answer = client.post(TOKEN, b'{"secret": 1}')
        seen = repr(client) + repr(answer) + repr(vars(client)) + caplog.text

    assert TOKEN not in seen
    assert "secret" not in seen


def test_a_partial_success_keeps_its_data() -> None:
    answer = ask(json.dumps({"code": 20001, "message": "partly", "data": {"failed": ["order-1"]}}))

    assert answer.message == 'partly data: {"failed": ["order-1"]}'


def test_a_long_message_is_cut_to_its_column() -> None:
    answer = ask(json.dumps({"code": 40002, "message": "m" * 5000, "request_id": "r" * 5000}))

    assert (len(answer.message), len(answer.request_id)) == (500, 64)


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\x1b", "\n"])
def test_characters_that_a_database_or_a_log_refuses_are_taken_out(bad: str) -> None:
    answer = ask(json.dumps({"code": 40002, "message": f"a{bad}b", "request_id": f"r{bad}s"}))

    assert (answer.message, answer.request_id) == ("a b", "r s")


@pytest.mark.parametrize("message", [None, 5, ["x"], {}])
def test_a_message_that_is_not_text_is_left_out(message: object) -> None:
    assert ask(json.dumps({"code": 40002, "message": message})).message == ""


def test_the_duration_is_measured() -> None:
    def later(connection: socket.socket) -> None:
        time.sleep(0.1)
        connection.sendall(http(OK))

    with wire(later) as server:
        assert ask_at(server.url).duration_seconds >= 0.1
