"""Ask TikTok's Marketing API one thing, and say what its answer means.

`MarketingClient` returns an `Answer` also when none came. It never retries by itself: `reports` does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tiktok_attribution import http, in_tests, setting_validation
from tiktok_attribution.attribution_settings import Advertiser
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.sanitize import MAX_WORDS, without_echoes

logger = logging.getLogger("tiktok_attribution")

MOST_ANSWER_BYTES = 8_000_000  # 1,000 rows with every metric are about 1 MB
REPORT = "report/integrated/get/"
ADVERTISER_INFO = "advertiser/info/"
ACCESS_TOKEN = "oauth2/access_token/"
PIXEL_LIST = "pixel/list/"
PIXEL_STATS = "pixel/event/stats/"


class Fate(Enum):
    """What an answer means for the one who asked."""

    OK = "ok"
    LIMITED = "limited"  # ask again later: after 5 minutes, or after 00:00 UTC
    STOPPED = "stopped"  # token or permission: a person must act
    AGAIN = "again"  # TikTok's own trouble, or none came
    REFUSED = "refused"  # the request is wrong


_STOPPED = {40001, 40102, 40104, 40105, 40110}
"""No permission, token expired, token empty, token not valid, authorization code used or expired."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer of the Marketing API. Without one, `code` is None and `message` says why."""

    http_status: int | None = None
    code: int | None = None
    message: str = ""
    request_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def fate(self) -> Fate:
        """Return what to do. Codes: 40100 is the rate limit, 50000 to 51099 are TikTok's own errors."""
        if self.code == 0:
            return Fate.OK
        if self.code == 40100 or self.http_status == 429:
            return Fate.LIMITED
        if self.code in _STOPPED:
            return Fate.STOPPED
        if self.code is None or 50000 <= self.code <= 51099:
            return Fate.AGAIN
        return Fate.REFUSED

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.code, self.message) if part not in (None, ""))


# Decision: `requests` by this app's own bounded HTTP, and not TikTok's SDK (tiktok-business-api-sdk-official). Measured
# with its version 1.1.3: it follows a redirect to another host with the Access-Token header; it repeats a request three
# times by itself; with a time limit of 1 s it waits as long as bytes drip in; it reads an answer of any size, logs it,
# and starts a pool of threads for each client. With all that replaced, only its names would remain. So the names are
# the SDK's, and a test compares each request with the one that the SDK makes.
class MarketingClient:
    """A client with a kept connection. Do not share it between threads."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self._base_url, self._timeout_seconds = base_url, timeout_seconds
        self._session = http.bounded_session()

    def __enter__(self) -> MarketingClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    @errors_without_values
    def get(self, path: str, token: str, parameters: Mapping[str, Any]) -> Answer:
        """Ask with these parameters: lists and dicts become JSON texts, as TikTok wants them. Raises nothing."""
        query = {name: json.dumps(one) if isinstance(one, list | dict) else one for name, one in parameters.items()}
        return self._ask("get", path, (token,), headers={"Access-Token": token}, params=query)

    @errors_without_values
    def post(self, path: str, body: Mapping[str, str]) -> Answer:
        """Post a JSON object without a token: for the exchange of one. Its values are secrets. Raises nothing."""
        return self._ask("post", path, tuple(body.values()), json=body)

    def _ask(self, method: str, path: str, secrets: tuple[str, ...], **what: Any) -> Answer:
        url = self._base_url + path
        if in_tests.keeps_inside() and in_tests.is_tiktoks(urlsplit(url).hostname):
            return Answer(message=in_tests.SENT_ONLY_IF_ASKED)
        try:
            with getattr(self._session, method)(url, **what, **http.limits(self._timeout_seconds)) as response:
                body = http.read_bounded(response, MOST_ANSWER_BYTES)
                return _answer(response.status_code, body, secrets)
        except http.FAILURES as error:
            return Answer(message=http.in_words(error, url, self._timeout_seconds, "MARKETING_API_URL"))


def _answer(status: int, text: bytes, secrets: tuple[str, ...]) -> Answer:
    if len(text) > MOST_ANSWER_BYTES:
        return Answer(http_status=status, message="The answer is too large.")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    code = body.get("code") if isinstance(body, dict) else None
    if type(code) is not int or not 0 <= code < 2**31:
        return Answer(http_status=status, message="The answer is not TikTok's JSON.")
    data = body.get("data")
    return Answer(
        http_status=status,
        code=code,
        message=_without(str(body.get("message") or ""), secrets),
        request_id=_without(str(body.get("request_id") or ""), secrets)[:64],
        data=data if isinstance(data, dict) else {},
    )


def _without(text: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "[token]")
    return without_echoes(text)[:MAX_WORDS]


@errors_without_values
def token_of(advertiser: Advertiser) -> str:
    """Return the bare token of an advertiser; "" if it has none. A callable is called each time."""
    given = advertiser.token
    if not callable(given):
        return given if isinstance(given, str) else ""
    try:
        token = setting_validation.token(given(advertiser.advertiser_id) or "")
    except Exception as error:  # noqa: BLE001 -- the site's own code; its message may contain the token
        problem = type(error).__name__
    else:
        return token if isinstance(token, str) else ""
    logger.error("tiktok: the token of advertiser %s was not given: %s", advertiser.advertiser_id, problem)
    return ""
