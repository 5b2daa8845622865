"""Every endpoint, whatever a client sends: no error page, no mail to ADMINS, and no more than its share."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.browser.blocks import block_of
from tiktok_attribution import urls
from tiktok_attribution.browser import signed_events, views
from tiktok_attribution.browser.signed_events import Action
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.visitor import rate_limit

pytestmark = [pytest.mark.hostile, pytest.mark.django_db]

BEACON, CONSENT = "/tiktok/", "/tiktok/consent/"
OWN = {"HTTP_SEC_FETCH_SITE": "same-origin"}
DAY = 86_400
ID = "web-0b0f3a52-5f0c-4f0e-9a53-0123456789ab"
COMMON = "django.middleware.common.CommonMiddleware"  # it asks for the host itself, and Django then writes to ADMINS
SEARCH = Action(name="Search", allow=["search_string", "status"])

texts = st.text(max_size=60) | st.sampled_from(
    ["\x00", "\ud800", "http://[", "[" * 4000, "1" * 5000, "-1", "١٢", "%ff"]
)
headers = st.dictionaries(
    st.sampled_from(
        [
            *("HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_HOST", "HTTP_COOKIE", "HTTP_REFERER", "HTTP_USER_AGENT"),
            *("HTTP_ACCEPT_LANGUAGE", "HTTP_X_FORWARDED_FOR", "HTTP_DNT", "HTTP_SEC_GPC", "HTTP_HX_REQUEST"),
            *("HTTP_X_TIKTOK_EVENTS", "HTTP_SEC_PURPOSE", "CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_ADDR"),
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=60)
    | st.sampled_from(
        [
            *(
                "http://[",
                "[",
                "tiktok_pending=\xff; ttclid=\x00; tiktok_consent=%ff",
                "a" * 20_000,
                "tiktok_pending=.",
            ),
            *("-1", "1e3", "9" * 5000, "null", "testserver:99999", "::ffff:1.2.3.4, [::1", "same-origin"),
        ]
    ),
    max_size=5,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
reports = st.dictionaries(
    st.sampled_from(
        ["action", "event_id", "page", "properties", "receipt", "pending", "live", "search", "granted", "landing"]
    ),
    values,
)


@st.composite
def signed_reports(draw: Any) -> dict[str, Any]:
    """As a page signed them, with what a visitor's browser fills in."""
    given_values = draw(st.dictionaries(st.sampled_from([*SEARCH.allow, "value"]), values))
    page = f"http://testserver/{draw(texts)}"
    return {
        **draw(reports),
        "action": signed_events.sign(SEARCH),
        "event_id": ID,
        "page": page,
        "properties": given_values,
    }


bodies = (
    st.binary(max_size=60)
    | texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | (reports | signed_reports() | values).map(lambda value: json.dumps(value).encode())
)


@pytest.fixture(autouse=True)
def configure(settings: Any) -> Callable[..., None]:
    cache.clear()
    settings.ADMINS = [("Ann", "ann@example.com")] if settings.DEBUG else ["ann@example.com"]
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != COMMON]

    def configure(**options: Any) -> None:
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "SITE_URL": "https://a.example", **options}

    configure(PAGE_SCRIPT=True, BEACONS_PER_MINUTE=100_000)
    return configure


@contextmanager
def no_error_is_logged() -> Iterator[None]:
    """Django's own settings send every error of its loggers to ADMINS, and many sites those of all loggers."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("", "django", "django.request", "tiktok_attribution")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    assert found == []


def post(path: str, body: bytes | str, /, **extra: Any) -> HttpResponse:
    client = Client(raise_request_exception=False)
    return client.post(path, body, content_type="text/plain", **{**OWN, **extra})  # type: ignore[return-value]


def test_every_endpoint_is_tried_here() -> None:
    assert {f"/tiktok/{one.pattern}" for one in urls.urlpatterns if isinstance(one, URLPattern)} == {BEACON, CONSENT}


@pytest.mark.parametrize(("path", "expected"), [(BEACON, {204, 200}), (CONSENT, {200, 400, 403})])
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(body=bodies, extra=headers)
@example(body=b"[" * 4000, extra={})
@example(body=b"{}", extra={"HTTP_ORIGIN": "http://["})
@example(body=b"{}", extra={"HTTP_SEC_FETCH_SITE": "", "HTTP_ORIGIN": "http://["})
@example(body=b"{}", extra={"CONTENT_LENGTH": "a"})
@example(body=b"", extra={"CONTENT_LENGTH": "1"})
@example(body=b"{}", extra={"HTTP_SEC_FETCH_SITE": "", "HTTP_HOST": "["})
@example(body=b'{"search": "\\ud800?ttclid=\\ud800"}', extra={})
@example(body=b'{"search": "?ttclid=\\u0000"}', extra={})
@example(body=b"\xff\xfe", extra={})
def test_nothing_that_is_sent_is_an_error(path: str, expected: set[int], body: bytes, extra: dict[str, str]) -> None:
    # A server hands over no more than it has read; Django's test client fails where that is less than it was told.
    length = extra.get("CONTENT_LENGTH", "").strip()
    if length.isdecimal() and (len(length) > 6 or int(length) > len(body)):
        extra = {**extra, "CONTENT_LENGTH": str(len(body))}
    # Django itself refuses a longer one when it makes the request, before any middleware or view.
    extra = {key: value[:5000] if key == "CONTENT_TYPE" else value for key, value in extra.items()}
    with no_error_is_logged():
        status = post(path, body, **extra).status_code
    assert status in expected | ({400} if "HTTP_HOST" in extra else set())
    assert mail.outbox == []


@pytest.mark.parametrize(
    "origin", ["http://[", "http://evil.example", "null", "", "//", "http://testserver@evil.example"]
)
@pytest.mark.parametrize(("path", "status"), [(BEACON, 204), (CONSENT, 403)])
def test_an_origin_that_is_none_is_another_sites(path: str, status: int, origin: str) -> None:
    assert post(path, "{}", HTTP_SEC_FETCH_SITE="", HTTP_ORIGIN=origin).status_code == status


@pytest.mark.parametrize("body", ["[" * 4000, "{", "[]", "7", '"x"', "\x00", "x" * 20_000])
def test_a_body_that_is_no_object_is_a_bad_request(body: str) -> None:
    assert post(BEACON, body).status_code == 204
    assert post(CONSENT, body).status_code == 400


def test_a_host_that_is_not_allowed_is_a_bad_request() -> None:
    with no_error_is_logged():
        assert post(CONSENT, "{}", HTTP_SEC_FETCH_SITE="", HTTP_HOST="evil.example").status_code == 400


def test_a_fault_of_our_own_is_logged_without_what_was_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise LookupError("ada@example.com")

    monkeypatch.setattr("tiktok_attribution.browser.views.page_response.of", fail)
    assert post(CONSENT, "{}").status_code == 400
    assert "LookupError was raised at" in caplog.text
    assert "ada@" not in caplog.text


def action_report(number: int, signature: str | None = None) -> str:
    """One with an id of its own."""
    event_id = f"web-{number:08x}-5f0c-4f0e-9a53-0123456789ab"
    return json.dumps(
        {"action": signature or signed_events.sign(SEARCH), "event_id": event_id, "page": "http://testserver/tea/"}
    )


PROXY = {"REMOTE_ADDR": "10.0.0.1"}


@pytest.mark.parametrize(
    "address_of",
    [
        lambda n: {"REMOTE_ADDR": f"2a01:4f8:1:2::{n:x}"},
        lambda n: {"REMOTE_ADDR": f"2a01:4f8:1:2:{n:x}:7::1"},
        lambda n: {**PROXY, "HTTP_X_FORWARDED_FOR": f"8.8.{n}.8, 81.2.69.142"},
        lambda n: {**PROXY, "HTTP_X_FORWARDED_FOR": f"8.8.{n}.8, 192.168.7.7"},
        lambda n: {**PROXY, "HTTP_X_FORWARDED_FOR": f"nonsense {n}, 10.0.0.2"},
        lambda n: {**PROXY, "HTTP_X_FORWARDED_FOR": f"8.8.{n}.8, 2a01:4f8:1:2::{n:x}"},
        lambda n: {"REMOTE_ADDR": "192.168.7.7", "HTTP_X_FORWARDED_FOR": f"8.8.{n}.8"},
        lambda n: {"REMOTE_ADDR": "81.2.69.142", "HTTP_X_FORWARDED_FOR": f"8.8.{n}.8"},
    ],
)
@pytest.mark.parametrize(("path", "refused"), [(BEACON, 204), (CONSENT, 429)])
def test_one_sender_stays_one(
    path: str, refused: int, address_of: Any, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "time", lambda: 1_000_000.0)
    configure(BEACONS_PER_MINUTE=3, TRUSTED_PROXIES=["10.0.0.0/8"])
    answers = [post(path, action_report(n), **address_of(n)).status_code for n in range(10)]
    assert answers.count(refused) >= 7
    if path == BEACON:
        assert OutboxEvent.objects.count() == 3


def test_an_answer_is_heard_after_many_clicks(configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "time", lambda: 1_000_000.0)
    configure(BEACONS_PER_MINUTE=3)
    for number in range(10):
        post(BEACON, action_report(number))
    assert post(CONSENT, "{}").status_code == 200


def test_a_proxy_that_is_not_named_is_told_of_once(
    configure: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rate_limit, "time", lambda: 1_000_000.0)
    views._tell_of_proxy.cache_clear()
    configure(BEACONS_PER_MINUTE=3)
    for number in range(10):
        post(BEACON, action_report(number), HTTP_X_FORWARDED_FOR=f"8.8.8.{number}")
    assert caplog.text.count("TRUSTED_PROXIES") == 1


def test_a_page_that_hides_its_origin_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    views._tell_of_hidden_origin.cache_clear()
    for number in range(3):
        post(BEACON, action_report(number), HTTP_SEC_FETCH_SITE="", HTTP_ORIGIN="null")
    post(BEACON, action_report(9), HTTP_SEC_FETCH_SITE="cross-site", HTTP_ORIGIN="null")
    assert caplog.text.count("Referrer-Policy: no-referrer") == 1
    assert OutboxEvent.objects.count() == 0


class TestCeiling:
    """While all visitors together are too many, only what a page signed lately is taken."""

    @pytest.fixture(autouse=True)
    def _crowded(self, configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rate_limit, "time", lambda: 1_000_000.0)
        configure(BEACONS_PER_MINUTE_ALL=2)
        for number in range(3):
            post(BEACON, "{}", REMOTE_ADDR=f"8.8.8.{number}")

    @pytest.mark.parametrize(("days", "taken"), [(0, 1), (1, 1), (2, 0), (6, 0)])
    def test_a_signature_must_be_of_today_or_yesterday(
        self, days: int, taken: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = signed_events.time()
        monkeypatch.setattr(signed_events, "time", lambda: now - days * DAY)
        signature = signed_events.sign(SEARCH)
        monkeypatch.setattr(signed_events, "time", lambda: now)
        post(BEACON, action_report(1, signature), REMOTE_ADDR="9.9.9.9")
        assert OutboxEvent.objects.count() == taken

    def test_before_it_is_reached_an_older_one_is_taken(self, configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        configure(BEACONS_PER_MINUTE_ALL=100)
        self.test_a_signature_must_be_of_today_or_yesterday(6, 1, monkeypatch)

    def test_a_visitor_with_something_of_ours_is_heard(self) -> None:
        client = Client()
        client.post("/lead/")
        answer = client.post(BEACON, '{"pending": true}', content_type="text/plain", **OWN)  # type: ignore[arg-type]
        assert answer.status_code == 200
        client.post("/lead/?event_id=lead-2")
        given_receipt = {"receipt": block_of(client.get("/page/"))["receipt"]}
        client.post(BEACON, json.dumps(given_receipt), content_type="text/plain", **OWN)  # type: ignore[arg-type]
        assert OutboxEvent.objects.exclude(browser_confirmed_at=None).count() == 1

    def test_nobody_elses_question_is(self) -> None:
        assert post(BEACON, '{"pending": true}', HTTP_COOKIE="tiktok_pending=forged").status_code == 204


def test_a_report_grows_the_tables_by_no_more_than_the_documents_say(configure: Any) -> None:
    """docs/security.md names 16 kB for each row; this is the largest that a visitor can make of an action."""
    allowed = ["search_string", "status", "description", "content_name"]
    longest = "ü" * signed_events.MOST_TEXT
    body = {
        "action": signed_events.sign(Action(name="Search", allow=allowed)),
        "event_id": ID,
        "page": "http://testserver/" + "%C3%A9" * 600,
        "properties": dict.fromkeys(allowed, longest),
    }
    extra = {"HTTP_USER_AGENT": "ü" * 8000, "HTTP_COOKIE": f"ttclid={'a' * 1000}; _ttp={'b' * 1000}"}
    post(BEACON, json.dumps(body), REMOTE_ADDR="8.8.8.8", **extra)
    (row,) = OutboxEvent.objects.all()
    assert 10_000 < len(row.payload) < 16_000
