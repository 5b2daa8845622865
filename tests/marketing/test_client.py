"""The client of the Marketing API: bounded, without redirects or retries of its own, and silent about its token."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tiktok_attribution.attribution_settings import Advertiser
from tiktok_attribution.marketing import client as client_module
from tiktok_attribution.marketing.client import REPORT, Answer, Fate, MarketingClient, token_of

TOKEN = "a-secret-token-of-forty-characters-00000"
Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose every GET is answered by this function; returns its address."""
    servers = []

    def started(act: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                act(self)

            do_POST = do_GET  # noqa: N815 -- the name is http.server's

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def sends(body: bytes, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Any:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def got(address: str, seconds: float = 5) -> Answer:
    with MarketingClient(address, seconds) as client:
        return client.get(REPORT, TOKEN, {"page": 1})


@pytest.mark.parametrize(
    ("code", "status", "fate"),
    [
        (0, 200, Fate.OK),
        (40100, 200, Fate.LIMITED),
        (40100, 429, Fate.LIMITED),
        *((code, 200, Fate.STOPPED) for code in (40001, 40102, 40104, 40105)),
        *((code, 200, Fate.AGAIN) for code in (50000, 50002, 51010, 51099)),
        (40002, 200, Fate.REFUSED),
        (51100, 200, Fate.REFUSED),
    ],
)
def test_each_code_has_one_fate(serve: Serve, code: int, status: int, fate: Fate) -> None:
    answer = got(serve(sends(json.dumps({"code": code, "message": "m", "data": {"list": []}}).encode(), status)))
    assert (answer.fate, answer.code, answer.message) == (fate, code, "m")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"code": "0"}', b'{"code": true}', b'{"code": -1}', b"[" * 9999]
)
def test_what_is_no_answer_of_tiktok_is_tried_again(serve: Serve, body: bytes) -> None:
    answer = got(serve(sends(body, 502)))
    assert (answer.fate, answer.code, answer.message) == (Fate.AGAIN, None, "The answer is not TikTok's JSON.")


def test_no_redirect_is_followed(serve: Serve) -> None:
    reached: list[str | None] = []

    def other(handler: BaseHTTPRequestHandler) -> None:
        reached.append(handler.headers.get("Access-Token"))
        sends(b'{"code": 0}')(handler)

    target = serve(other).replace("127.0.0.1", "localhost")
    assert got(serve(sends(b"", 302, (("Location", target),)))).fate is Fate.AGAIN
    assert reached == []


def test_a_broken_connection_is_not_repeated(serve: Serve) -> None:
    asked = []

    def cut(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        handler.connection.close()

    assert got(serve(cut)).fate is Fate.AGAIN
    assert len(asked) == 1


def test_an_answer_that_drips_is_bounded_in_time(serve: Serve) -> None:
    ended = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not ended.wait(0.1):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return

    started = time.monotonic()
    answer = got(serve(drip), 0.5)
    ended.set()
    assert time.monotonic() - started < 3
    assert answer.message == "No whole answer within 0.5 seconds."


def test_an_answer_is_bounded_in_size(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST_ANSWER_BYTES", 10_000)
    assert got(serve(sends(b'{"code": 0, "message": "' + b"a" * 20_000 + b'"}'))).message == "The answer is too large."


def test_a_host_that_is_away_is_named_with_its_setting() -> None:
    assert got("http://127.0.0.1:1/").message == (
        "127.0.0.1 could not be reached. Check the network, the proxy and MARKETING_API_URL."
    )


def test_nothing_goes_to_tiktok_from_a_test() -> None:
    assert "Not sent" in got("https://business-api.tiktok.com/open_api/v1.3/").message


@pytest.mark.privacy
def test_the_token_is_in_no_answer_and_no_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"code": 40105, "message": f"bad {TOKEN}", "request_id": TOKEN, "data": {}}).encode()
    answer = got(serve(sends(body)))
    with MarketingClient("http://127.0.0.1:1/", 1) as client:
        failed = client.post("oauth2/access_token/", {"app_id": "1", "secret": TOKEN, "auth_code": TOKEN})

    assert TOKEN not in f"{answer!r} {answer} {failed!r} {failed} {caplog.text}"


@pytest.mark.privacy
def test_a_callable_gives_the_token_each_time_and_its_error_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(advertiser_id: str) -> str:
        raise ValueError(TOKEN)

    assert (
        token_of(Advertiser(advertiser_id="7", token=lambda advertiser_id: f"token-of-{advertiser_id}")) == "token-of-7"
    )
    assert token_of(Advertiser(advertiser_id="7", token="plain")) == "plain"
    assert token_of(Advertiser(advertiser_id="7")) == ""
    assert token_of(Advertiser(advertiser_id="7", token=lambda advertiser_id: "Bearer x")) == ""
    assert token_of(Advertiser(advertiser_id="7", token=fails)) == ""
    assert TOKEN not in caplog.text
    assert "advertiser 7 was not given: ValueError" in caplog.text
