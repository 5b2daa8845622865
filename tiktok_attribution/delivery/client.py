"""Send one POST to the Events API and read its answer.

`Client.post` returns an `Answer` also when none came, with the reason in words. It never retries by itself, because
the outbox is the one retry layer. An answer is limited in time and in size (`http`).
"""

from __future__ import annotations

import json
import math
import re
import time
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tiktok_attribution import http, in_tests
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.sanitize import MAX_WORDS, without_ids

MOST_ANSWER_BYTES = 65_536
MOST_CODE = 2**31 - 1  # the largest number that the column `Attempt.code` holds
MOST_RETRY_AFTER_SECONDS = 86_400.0
PARTIAL_OK = 20001

_UNSTORABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")  # PostgreSQL stores no NUL, no database a lone surrogate


class Client:
    """A client with a kept connection to the Events API. Do not share it between threads."""

    def __init__(self, api_url: str, timeout_seconds: float) -> None:
        self._api_url = api_url
        self._timeout_seconds = timeout_seconds
        self._session = http.bounded_session()

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
                self._api_url, data=body, headers=headers, **http.limits(self._timeout_seconds)
            ) as response:
                return _answer(response, _read(response), token, time.monotonic() - started)
        except http.FAILURES as error:
            return Answer(
                message=http.in_words(error, self._api_url, self._timeout_seconds, "API_URL"),
                duration_seconds=time.monotonic() - started,
                unreachable=http.never_sent(error),
            )


def _read(response: http.Response) -> bytes:
    return http.read_bounded(response, MOST_ANSWER_BYTES)


@errors_without_values
def _answer(response: http.Response, text: bytes, token: str, seconds: float) -> Answer:
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
