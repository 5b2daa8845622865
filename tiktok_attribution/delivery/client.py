"""Send one POST to the Events API and read its answer. The only module that uses requests.

`Client.post` returns an `Answer` also when none came, with the reason in words. It never retries by itself, because
the outbox is the one retry layer. An answer is limited in time (`deadline`) and in size.
"""

from __future__ import annotations

import json
import math
import re
import ssl
import time
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import exceptions as failures
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from tiktok_attribution import in_tests
from tiktok_attribution.delivery.deadline import POOLS
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.sanitize import MAX_WORDS, without_ids

MOST_CONNECT_SECONDS = 5.0
MOST_ANSWER_BYTES = 65_536
MOST_CODE = 2**31 - 1  # the largest number that the column `Attempt.code` holds
MOST_RETRY_AFTER_SECONDS = 86_400.0
PARTIAL_OK = 20001

_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")  # PostgreSQL stores no NUL, no database a lone surrogate


class _Adapter(HTTPAdapter):
    """Keep two connections open, never retry, and limit the time of an answer."""

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_connections=2, pool_maxsize=2)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


class Client:
    """A client with a kept connection to the Events API. Do not share it between threads."""

    def __init__(self, api_url: str, timeout_seconds: float) -> None:
        self._api_url = api_url
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        adapter = _Adapter()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    @errors_without_values
    def post(self, token: str, body: bytes) -> Answer:
        """Send one body and return the answer. Raises no network error: a failure is described in the answer."""
        if in_tests.keeps_inside() and in_tests.is_tiktoks(urlsplit(self._api_url).hostname):
            return Answer(message=in_tests.SENT_ONLY_IF_ASKED, unreachable=True)
        headers = {"Access-Token": token, "Content-Type": "application/json"}
        started = time.monotonic()
        try:
            with self._session.post(
                self._api_url,
                data=body,
                headers=headers,
                timeout=(min(self._timeout_seconds, MOST_CONNECT_SECONDS), self._timeout_seconds),
                allow_redirects=False,  # a redirect would send the token to another host
                stream=True,
            ) as response:
                return _answer(response, _read(response), token, time.monotonic() - started)
        except (requests.RequestException, HTTPError, OSError) as error:
            return Answer(
                message=self._in_words(error),
                duration_seconds=time.monotonic() - started,
                unreachable=_never_sent(error),
            )

    def _in_words(self, error: Exception) -> str:
        """Describe for the admin why no answer came. The libraries' own texts contain object addresses."""
        host, root = urlsplit(self._api_url).hostname, _root(error)
        if isinstance(root, TimeoutError | ReadTimeoutError) or isinstance(error, failures.ReadTimeout):
            return f"No whole answer within {self._timeout_seconds:g} seconds."
        if isinstance(error, failures.SSLError):
            return f"The TLS certificate of {host} could not be verified. Check the clock, the proxy and API_URL."
        if _never_sent(error):
            return f"{host} could not be reached. Check the network, the proxy and API_URL."
        cut = isinstance(error, requests.ConnectionError | failures.ChunkedEncodingError)
        if cut or not isinstance(error, requests.RequestException):
            return "The connection broke off before the answer was whole."
        return f"The request failed: {type(error).__name__}."


def _read(response: requests.Response) -> bytes:
    """Read the answer's body, limited in size; the adapter limits its time."""
    text = bytearray()
    for piece in response.iter_content(4096):
        text += piece
        if len(text) > MOST_ANSWER_BYTES:
            break
    return bytes(text)


def _root(error: BaseException) -> BaseException:
    """Return the innermost of nested errors: MaxRetryError has a reason, ProxyError an original, others an argument."""
    inner = getattr(error, "reason", None) or getattr(error, "original_error", None) or next(iter(error.args), None)
    return _root(inner) if isinstance(inner, BaseException) else error


def _never_sent(error: Exception) -> bool:
    """Return True if no connection was made, so that no byte of the body can have arrived."""
    if isinstance(error, failures.ConnectTimeout | failures.InvalidURL | failures.InvalidSchema):
        return True
    return isinstance(_root(error), NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError)


@errors_without_values
def _answer(response: requests.Response, text: bytes, token: str, seconds: float) -> Answer:
    body = _json_object(text)
    code, message = body.get("code"), body.get("message")
    if type(code) is not int or not 0 <= code <= MOST_CODE:
        code = None
    if not isinstance(message, str):
        message = "" if code is not None else "The answer is not TikTok's JSON."
    if code == PARTIAL_OK and body.get("data"):
        message += f" data: {_as_json(body['data'])}"
    return Answer(
        http_status=response.status_code,
        code=code,
        message=_storable(message, token)[:MAX_WORDS],
        request_id=_request_id(body.get("request_id"), token),
        retry_after=_seconds(response.headers.get("Retry-After", "")),
        duration_seconds=seconds,
    )


@errors_without_values
def _storable(text: str, token: str) -> str:
    """Remove the token, because messages were seen to repeat it, and the characters that no database stores."""
    if token:
        text = text.replace(token, "[token]")
    return _UNSTORABLE.sub(" ", text).strip()


def _request_id(given: object, token: str) -> str:
    return without_ids(_storable(str(given) if isinstance(given, str | int) else "", token)[:64])[:64]


def _as_json(data: object) -> str:
    try:
        return json.dumps(data, ensure_ascii=False)
    except RecursionError:
        return "(nested too deep)"


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(retry_after: str) -> float | None:
    """Read Retry-After in either of its two forms, as seconds; at most one day."""
    if not retry_after:
        return None
    try:
        wanted = float(retry_after)
    except ValueError:
        try:
            wanted = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(wanted, 0.0), MOST_RETRY_AFTER_SECONDS) if not math.isnan(wanted) else None
