"""An event that breaks no rule, a request around it, and a clock that is set by hand."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tiktok_attribution.testing.server import StandIn

NOW = 1_790_000_000.0
PIXEL = "C0EXAMPLE0000000000A"
TOKEN = "bare-token"
EMAIL = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"
PHONE = "422ce82c6fc1724ac878042f7d055653ab5e983d186e616826a72d4384b68af8"


@dataclass
class HandClock:
    """Epoch seconds, moved by the test."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def event(**changes: Any) -> dict[str, Any]:
    """A Purchase that TikTok takes; a change to None leaves the key out."""
    usual = {
        "event": "Purchase",
        "event_time": int(NOW),
        "event_id": "order-1",
        "user": {"email": EMAIL, "ip": "8.8.8.8", "user_agent": "Mozilla/5.0"},
        "page": {"url": "https://shop.example/thanks?ttclid=E.C.P.1"},
        "properties": {
            "value": 19.9,
            "currency": "EUR",
            "content_type": "product",
            "contents": [{"content_id": "7", "price": 9.95, "quantity": 2}],
        },
    }
    return {key: value for key, value in {**usual, **changes}.items() if value is not None}


def root(*events: Any, **changes: Any) -> dict[str, Any]:
    """A request body; a change to None leaves the key out."""
    usual = {"event_source": "web", "event_source_id": PIXEL, "data": list(events) or [event()]}
    return {key: value for key, value in {**usual, **changes}.items() if value is not None}


def body(*events: Any, **changes: Any) -> bytes:
    return json.dumps(root(*events, **changes)).encode()


def pixel_call(**changes: Any) -> bytes:
    """What events.js posts for one ttq.track."""
    usual = {
        "type": "track",
        "pixel": PIXEL,
        "event": "Purchase",
        "event_id": "order-1",
        "properties": {"value": 19.9, "currency": "EUR"},
        "user": {"sha256_email": EMAIL, "ttp": "abc.tt.1"},
        "page": {"url": "https://shop.example/thanks", "referrer": ""},
    }
    return json.dumps({key: value for key, value in {**usual, **changes}.items() if value is not None}).encode()


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


def ask(
    url: str,
    raw: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5,
    method: str = "",
) -> Response:
    """One request on a connection of its own: GET, or POST where there is a body."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
    target = address.path + (f"?{address.query}" if address.query else "")
    try:
        connection.request(method or ("GET" if raw is None else "POST"), target, raw, headers or {})
        response = connection.getresponse()
        return Response(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def post_events(standin: StandIn, raw: bytes, *, timeout: float = 5) -> Response:
    return ask(standin.api_url, raw, headers={"Access-Token": TOKEN}, timeout=timeout)
