"""The listening socket and the connections that hang on it."""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tiktok_attribution.testing.exchange import Exchange


class Listener(ThreadingHTTPServer):
    """A thread a connection. `ending` is set when it stops, so that no fault keeps a thread waiting."""

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
        """Without the parent's look-up of the host's full name, which asks the network."""
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
        """Close this connection by a reset when its thread ends."""
        with self._lock:
            self._to_reset.add(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here; anything else is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def end(self) -> None:
        """Stop listening and drop every connection, as a killed process would."""
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
