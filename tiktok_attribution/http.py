"""Make HTTP requests that are bounded in time and size: the only module that uses requests.

A socket's timeout applies to each single read. So an answer that arrives in small pieces, in its headers or its body,
could block a worker for ever. Here, the timeout that is set when the reading begins limits the whole answer. Nothing is
retried and no redirect is followed. `delivery` (Events API) and `marketing` (Marketing API) use it.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import exceptions as failures
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

MOST_CONNECT_SECONDS = 5.0
FAILURES = (requests.RequestException, HTTPError, OSError)
"""What a request may raise if no whole answer comes."""
Response = requests.Response


class _Limited(io.RawIOBase):
    """Read one answer. Raises TimeoutError when all reads together take longer than the socket's timeout."""

    def __init__(self, raw: io.RawIOBase, connected: socket.socket) -> None:
        self._raw, self._socket = raw, connected
        self._limit = connected.gettimeout()
        self._deadline = time.monotonic() + (self._limit or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._limit is None:
            return self._raw.readinto(buffer)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._socket.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._socket.settimeout(self._limit)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Limited(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TLSConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    """Keep two connections open, never retry, and limit the time of an answer."""

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_connections=2, pool_maxsize=2)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def bounded_session() -> requests.Session:
    """Return a session whose answers are limited in time. Use each request's `timeout`, `stream` and `read_bounded`."""
    session = requests.Session()
    adapter = _Adapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def limits(timeout_seconds: float) -> dict[str, Any]:
    """Return what every request needs: a time limit, no redirects, and a body that is read with a limit."""
    return {
        "timeout": (min(timeout_seconds, MOST_CONNECT_SECONDS), timeout_seconds),
        "allow_redirects": False,  # a redirect would send the token to another host
        "stream": True,
    }


def read_bounded(response: requests.Response, most: int) -> bytes:
    """Read an answer's body up to the first piece beyond `most` bytes; the adapter limits its time."""
    text = bytearray()
    for piece in response.iter_content(4096):
        text += piece
        if len(text) > most:
            break
    return bytes(text)


def in_words(error: Exception, url: str, timeout_seconds: float, setting: str) -> str:
    """Describe for the admin why no answer came. The libraries' own texts contain object addresses."""
    host, root = urlsplit(url).hostname, _root(error)
    if isinstance(root, TimeoutError | ReadTimeoutError) or isinstance(error, failures.ReadTimeout):
        return f"No whole answer within {timeout_seconds:g} seconds."
    if isinstance(error, failures.SSLError):
        return f"The TLS certificate of {host} could not be verified. Check the clock, the proxy and {setting}."
    if never_sent(error):
        return f"{host} could not be reached. Check the network, the proxy and {setting}."
    cut = isinstance(error, requests.ConnectionError | failures.ChunkedEncodingError)
    if cut or not isinstance(error, requests.RequestException):
        return "The connection broke off before the answer was whole."
    return f"The request failed: {type(error).__name__}."


def never_sent(error: Exception) -> bool:
    """Return True if no connection was made, so that no byte of the body can have arrived."""
    if isinstance(error, failures.ConnectTimeout | failures.InvalidURL | failures.InvalidSchema):
        return True
    return isinstance(_root(error), NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError)


def _root(error: BaseException) -> BaseException:
    """Return the innermost of nested errors: MaxRetryError has a reason, ProxyError an original, others an argument."""
    inner = getattr(error, "reason", None) or getattr(error, "original_error", None) or next(iter(error.args), None)
    return _root(inner) if isinstance(inner, BaseException) else error
