"""The HTTP client of the Events API: one POST, its answer read whole, no retry of its own."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any

import requests
from django.views.decorators.debug import sensitive_variables
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError, ProtocolError

from tiktok_attribution.delivery.outcomes import Answer

MOST_ANSWER_BYTES = 65_536
MOST_MESSAGE = 500


class Client:
    """A kept connection to the Events API. Not shared between threads."""

    def __init__(self, api_url: str, timeout_seconds: float) -> None:
        self._api_url = api_url
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        adapter = HTTPAdapter(max_retries=0, pool_connections=2, pool_maxsize=2)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    @sensitive_variables("token", "body", "headers")
    def post(self, token: str, body: bytes) -> Answer:
        """Send one body. Raises nothing of the network's: what went wrong is in the answer."""
        headers = {"Access-Token": token, "Content-Type": "application/json"}
        started = time.monotonic()
        try:
            with self._session.post(
                self._api_url,
                data=body,
                headers=headers,
                timeout=(min(self._timeout_seconds, 5.0), self._timeout_seconds),
                allow_redirects=False,  # a redirect would carry the token elsewhere
                stream=True,
            ) as response:
                text = self._read(response, started + self._timeout_seconds)
                return _answer(response, text, token, time.monotonic() - started)
        except (requests.RequestException, ProtocolError, OSError) as error:
            return Answer(
                message=_in_words(error, self._timeout_seconds),
                duration_seconds=time.monotonic() - started,
                unreachable=_never_sent(error),
            )

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        """The answer's body, bounded in size and in time: a slow drip is a time-out too."""
        text = bytearray()
        for piece in response.iter_content(64):
            text += piece
            if len(text) > MOST_ANSWER_BYTES:
                break
            if time.monotonic() > deadline:
                raise requests.ReadTimeout
        return bytes(text)


def _never_sent(error: Exception) -> bool:
    """True when the connection itself was refused, so that no byte of the body can have arrived."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(reason, NewConnectionError)


def _in_words(error: Exception, timeout_seconds: float) -> str:
    """Why no answer came, for the admin. The libraries' own texts name object addresses, so they aren't used."""
    if isinstance(error, requests.ConnectTimeout):
        return "TikTok could not be reached: the connection timed out."
    if isinstance(error, requests.Timeout):
        return f"No answer within {timeout_seconds:g} seconds."
    if isinstance(error, requests.exceptions.SSLError):
        return "The TLS certificate of TikTok's address could not be verified."
    if isinstance(error, requests.ConnectionError):
        refused = _never_sent(error)
        return "TikTok could not be reached: connection refused." if refused else "The connection broke off."
    return f"The request failed: {type(error).__name__}."


@sensitive_variables("token")
def _answer(response: requests.Response, text: bytes, token: str, seconds: float) -> Answer:
    body = _json_object(text)
    code, message = body.get("code"), body.get("message")
    if not isinstance(code, int) or isinstance(code, bool):
        code = None
    if not isinstance(message, str):
        message = "" if code is not None else "The answer is not TikTok's JSON."
    if token:
        message = message.replace(token, "[token]")  # messages were seen to echo it
    return Answer(
        http_status=response.status_code,
        code=code,
        message=message[:MOST_MESSAGE],
        request_id=str(body.get("request_id") or "")[:64],
        retry_after=_seconds(response.headers.get("Retry-After", "")),
        duration_seconds=seconds,
    )


def _json_object(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(retry_after: str) -> float | None:
    """Retry-After in seconds, from either of its two forms; never more than a day."""
    if not retry_after:
        return None
    try:
        wanted = float(retry_after)
    except ValueError:
        try:
            wanted = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(wanted, 0.0), 86_400.0) if wanted == wanted else None
