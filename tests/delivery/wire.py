"""A server on a bare socket, which answers each request as a test says, byte for byte."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket], None]


@dataclass
class Wire:
    """Where it listens and what it was sent: a text a request, and how many connections brought them."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


@contextmanager
def wire(behave: Behaviour, *, before_reading: bool = False) -> Iterator[Wire]:
    """`behave` gets the connection after each request, or, with `before_reading`, as soon as it is made."""
    seen = Wire()
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        seen.url = f"http://127.0.0.1:{listener.getsockname()[1]}/track/"

        def serve() -> None:
            while not ending.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    connection.settimeout(5)
                    seen.connections += 1
                    with connection, suppress(OSError):
                        if before_reading:
                            behave(connection)
                        while request := _read(connection):
                            seen.requests.append(request)
                            behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield seen
        ending.set()
        thread.join(10)


def _read(connection: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def reset(connection: socket.socket) -> None:
    """Close with a RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
