"""The HTTP of the stand-in: the listening socket, addresses and headers, and answers that go wrong on demand."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tiktok_attribution.testing import marketing, page, state
from tiktok_attribution.testing.exchange import Exchange, Reply, new_request_id
from tiktok_attribution.testing.faults import OURS, Answer
from tiktok_attribution.testing.page import events_js


class Listener(ThreadingHTTPServer):
    """A server with a thread for each connection. `ending` is set when it stops, so that no fault keeps a thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        exchange: Exchange,
    ) -> None:
        self.exchange = exchange
        self.ending = threading.Event()
        self._open: set[socket.socket] = set()
        self._to_reset: set[socket.socket] = set()
        self._lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the parent's look-up of the host's full name, which uses the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
            reset = request in self._to_reset
            self._to_reset.discard(request)
        if reset:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def to_reset(self, request: socket.socket) -> None:
        """Close this connection with a reset when its thread ends."""
        with self._lock:
            self._to_reset.add(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away; show any other error."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def end(self) -> None:
        """Stop listening and close every connection, as if the process was killed."""
        self.ending.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


EVENTS_API_PATH = "/open_api/v1.3/event/track/"
PIXEL_PATH = "/api/v2/pixel"
SCRIPT_PATH = "/i18n/pixel/events.js"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_READ_BYTES = 16_000_000
DRIP_PIECES = 10
JSON = "application/json"
NO_STORE = (("Cache-Control", "no-store"),)


class Handler(BaseHTTPRequestHandler):
    """One connection, which is kept alive."""

    protocol_version = "HTTP/1.1"
    server_version = "tiktok-stand-in"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536  # so that headers and body are sent in one packet
    server: Listener

    @property
    def exchange(self) -> Exchange:
        return self.server.exchange

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == SCRIPT_PATH:
            self._script()
        elif path in ("/", "/standin/live.html", "/standin/state.json", "/standin/arrivals.json"):
            if self._is_our_own():
                self._show(path)
        elif path.removeprefix(marketing.PREFIX) in marketing.SERVED:
            query, token = urlsplit(self.path).query, self.headers.get("Access-Token")
            self._marketing(self.exchange.marketing.get(path.removeprefix(marketing.PREFIX), query, token))
        elif path == "/standin/health":
            self._send_json(200, {"ok": True})
        else:
            self._nothing_here()

    def do_POST(self) -> None:
        raw = self._read()
        if raw is None:
            return
        path = urlsplit(self.path).path
        if path == EVENTS_API_PATH:
            self._reply(self.exchange.events_api(self.headers.get("Access-Token"), raw))
        elif path == PIXEL_PATH:
            agent = self.headers.get("User-Agent", "")
            reply = self.exchange.pixel(raw, user_agent=agent, ip=self.client_address[0])
            self._reply(reply, headers=self._cross_origin())
        elif path == marketing.PREFIX + marketing.TOKEN:
            self._marketing(self.exchange.marketing.post(marketing.TOKEN, raw))
        elif path in ("/standin/faults", "/standin/reset", "/standin/marketing"):
            if self._is_our_own():
                self._control(path, raw)
        else:
            self._nothing_here()

    def do_OPTIONS(self) -> None:
        allowed = (
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", "content-type"),
            ("Access-Control-Allow-Private-Network", "true"),
        )
        if urlsplit(self.path).path == PIXEL_PATH:
            self._send(204, b"", "", headers=(*self._cross_origin(), *allowed))
        else:
            self._nothing_here()

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Log nothing: the page shows what happened."""

    def _script(self) -> None:
        sdkid = parse_qs(urlsplit(self.path).query).get("sdkid", [""])[0]
        self.exchange.script(sdkid[:60])
        headers = (("Cross-Origin-Resource-Policy", "cross-origin"), ("Cache-Control", "no-store"))
        self._send(200, events_js(), "text/javascript; charset=utf-8", headers=headers)

    def _show(self, path: str) -> None:
        if path == "/standin/state.json":
            self._send_json(200, state.state(self.exchange))
        elif path == "/standin/arrivals.json":
            self._send_json(200, state.arrivals(self.exchange))
        elif path == "/standin/live.html":
            self._send(200, page.live(self.exchange), page.CONTENT_TYPE)
        else:
            text, policy = page.whole(self.exchange)
            self._send(200, text, page.CONTENT_TYPE, headers=(("Content-Security-Policy", policy),))

    def _control(self, path: str, raw: bytes) -> None:
        try:
            if path == "/standin/reset":
                self.exchange.reset()
            elif path == "/standin/marketing":
                self.exchange.marketing.configure(json.loads(raw))
            else:
                state.control(self.exchange.faults, raw)
        except ValueError as problem:
            self._send_json(400, {"error": str(problem)})
        else:
            faults = self.exchange.faults
            self._send_json(200, {"faults": faults.as_json(), "latency_ms": faults.latency_ms})

    def _is_our_own(self) -> bool:
        """Refuse scripts of other sites (Origin), and other host names that point here (Host)."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() in LOOPBACK_NAMES and origin in (None, f"http://{host}"):
            return True
        self._send_json(403, {"error": "only this stand-in's own page and local programs may ask this"})
        return False

    def _cross_origin(self) -> tuple[tuple[str, str], ...]:
        """Return CORS headers. sendBeacon sends with credentials, so they have to name the origin."""
        origin = self.headers.get("Origin")
        if not origin:
            return ()
        return (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Vary", "Origin"),
        )

    def _read(self) -> bytes | None:
        """Return the body. If it can't be read, answer the request and return None."""
        length = self.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= MAX_READ_BYTES:
            raw = self.rfile.read(int(length))
            if len(raw) == int(length):
                return raw
            self.close_connection = True
            return None
        self.close_connection = True
        self._send_json(413 if length.isdigit() else 411, {"error": "a Content-Length up to 16 MB is needed"})
        return None

    def _nothing_here(self) -> None:
        answer = Answer(code=40400, message=OURS + "there is nothing at this address", http_status=404)
        self._reply(Reply(answer=answer, request_id=new_request_id(time.time())))

    def _marketing(self, answer: Answer) -> None:
        self._reply(Reply(answer=answer, request_id=new_request_id(time.time())))

    def _reply(self, reply: Reply, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        wait = reply.wait_seconds + self.exchange.faults.latency_ms / 1000
        if wait:
            self.server.ending.wait(wait)
        if reply.cut:
            self._cut(with_reset=not reply.wait_seconds)
            return
        answer = reply.answer
        self._send(
            answer.http_status,
            answer.encoded(reply.request_id),
            answer.content_type,
            headers=(*answer.headers, *headers),
            drip_seconds=reply.drip_seconds,
        )

    def _cut(self, *, with_reset: bool) -> None:
        if with_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.server.to_reset(self.connection)
        self.close_connection = True

    def _send_json(self, status: int, content: object) -> None:
        self._send(status, json.dumps(content).encode("ascii"), JSON, headers=NO_STORE)

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        drip_seconds: float = 0.0,
    ) -> None:
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if drip_seconds:
            self._drip(body, drip_seconds)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, seconds: float) -> None:
        step = max(1, -(-len(body) // DRIP_PIECES))
        for start in range(0, len(body), step):
            self.wfile.flush()
            self.server.ending.wait(seconds / DRIP_PIECES)
            self.wfile.write(body[start : start + step])
