"""The endpoint: it takes what its own pages are allowed to say, from their own visitors, and tells others nothing."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import set_script_prefix, set_urlconf

from tests.browser.blocks import block_of
from tiktok_attribution import conf
from tiktok_attribution.browser import signed_events
from tiktok_attribution.browser.consent_gate import private_prefixes
from tiktok_attribution.browser.page_data import beacon_url
from tiktok_attribution.browser.signed_events import Action
from tiktok_attribution.models import OutboxEvent, SuppressedCount
from tiktok_attribution.testing.assertions import assert_not_tracked, assert_tracked

pytestmark = pytest.mark.django_db

URL = "/tiktok/"
ID = "web-0b0f3a52-5f0c-4f0e-9a53-0123456789ab"
OWN = {"HTTP_SEC_FETCH_SITE": "same-origin"}


@pytest.fixture(autouse=True)
def _page_script(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True, "SITE_URL": "https://a.example"}
    cache.clear()


def signed(**options: Any) -> str:
    return signed_events.sign(Action(**{"name": "AddToCart", "properties": {"value": 5, "currency": "EUR"}, **options}))


def report(client: Client, headers: dict[str, str] = OWN, **body: Any) -> HttpResponse:
    text = json.dumps({"action": signed(), "event_id": ID, "page": "http://testserver/tea/", **body})
    return client.post(URL, text, content_type="text/plain", **headers)  # type: ignore[arg-type,return-value]


def test_an_action_is_recorded_with_its_visitors_signals(client: Client) -> None:
    client.cookies["ttclid"] = "E.C.P.1"
    assert report(client, {**OWN, "HTTP_USER_AGENT": "Firefox"}).status_code == 204
    event = assert_tracked(
        "AddToCart",
        value=5,
        currency="EUR",
        page__url="http://testserver/tea/",
        user__ttclid="E.C.P.1",
        user__user_agent="Firefox",
    )
    assert event["event_id"] == ID


def test_a_visitor_without_any_cookie_is_one_too(client: Client) -> None:
    report(client, {**OWN, "HTTP_USER_AGENT": "Firefox"})
    assert_tracked("AddToCart", user__user_agent="Firefox")


@pytest.mark.privacy
@pytest.mark.parametrize(
    "refusal", [{"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}, {"HTTP_SEC_PURPOSE": "prefetch;prerender"}]
)
def test_a_report_that_refuses_is_not_recorded(client: Client, refusal: dict[str, str]) -> None:
    report(client, {**OWN, **refusal})
    assert_not_tracked("AddToCart")


def test_its_pixel_call_is_shown_already(client: Client) -> None:
    response = report(client, live=True)
    event = OutboxEvent.objects.get()
    assert event.browser_at is not None
    assert event.browser_confirmed_at is not None
    assert not response.cookies


def test_a_pixel_that_did_not_load_is_not_confirmed(client: Client) -> None:
    report(client, live=False)
    assert OutboxEvent.objects.get().browser_confirmed_at is None


def test_the_same_report_twice_is_one_event(client: Client) -> None:
    for _ in range(2):
        report(client)
    assert_tracked("AddToCart", times=1)


def test_the_pixels_are_those_of_the_page(client: Client) -> None:
    report(client, action=signed(pixel_codes=["C0B"]))
    assert OutboxEvent.objects.get().pixel_code == "C0B"


def test_the_click_id_of_a_page_out_of_a_cache_is_kept(client: Client) -> None:
    text = json.dumps({"action": signed(), "event_id": ID, "page": "http://testserver/tea/"})
    response = client.post(URL + "?ttclid=E.C.P.9", text, content_type="text/plain", **OWN)  # type: ignore[arg-type]
    assert response.cookies["ttclid"].value == "E.C.P.9"
    assert_tracked("AddToCart", user__ttclid="E.C.P.9")


def test_no_csrf_token_is_asked_for() -> None:
    report(Client(enforce_csrf_checks=True))
    assert_tracked("AddToCart")


def test_plain_http_has_the_origin_instead(client: Client) -> None:
    report(client, {"HTTP_ORIGIN": "http://testserver"})
    assert_tracked("AddToCart")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "http://testserver"},
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://testserver.evil.example"},
    ],
)
def test_another_site_is_not_heard(client: Client, headers: dict[str, str]) -> None:
    assert report(client, headers).status_code == 204
    assert_not_tracked()


@pytest.mark.parametrize(
    "event_id", ["", "order-42", "web-1", ID + "\n", ID.upper(), None, 7, ["x"], "web-" + "0" * 36]
)
def test_an_id_that_no_browser_makes_is_refused(client: Client, event_id: Any) -> None:
    """Else a stranger could take the id of the next order, whose own event would then be a repeat."""
    assert report(client, event_id=event_id).status_code == 204
    assert_not_tracked()


@pytest.mark.parametrize("forged", ["", "x", {"e": "Purchase"}, None])
def test_what_no_page_has_signed_is_refused(client: Client, forged: Any) -> None:
    assert report(client, action=forged).status_code == 204
    assert_not_tracked()


def test_values_of_the_visitors_own_are_left_out(client: Client) -> None:
    report(client, properties={"value": 1_000_000, "order_id": "x"})
    assert "order_id" not in assert_tracked("AddToCart", value=5)["properties"]


@pytest.mark.parametrize(
    "page",
    ["https://evil.example/", "javascript:alert(1)", "//evil.example", None, 7, "http://[", "https:///x", "/tea/", ""],
)
def test_an_address_of_another_site_is_not_believed(client: Client, page: Any) -> None:
    """Nor is it replaced by a page of the site: what was seen there may be what nobody is to be told of."""
    assert report(client, page=page).status_code == 204
    assert_not_tracked()


def test_a_report_that_names_no_page_is_not_believed(client: Client) -> None:
    client.post(URL, json.dumps({"action": signed(), "event_id": ID}), content_type="text/plain", **OWN)  # type: ignore[arg-type]
    assert_not_tracked()


def test_behind_a_proxy_with_an_inner_name_the_site_is_known_by_its_address(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "SITE_URL": "https://shop.example"}
    report(client, page="https://shop.example/tea/")
    assert_tracked("AddToCart", page__url="https://shop.example/tea/")


@pytest.mark.hostile
@pytest.mark.privacy
@pytest.mark.parametrize("page", ["/clinic/", "/clinic/visit/7?a=1", "/cl%69nic/visit/", "/clinic/%ff"])
def test_of_a_private_page_nothing_is_recorded(
    client: Client, settings: Any, page: str, django_capture_on_commit_callbacks: Any
) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PRIVATE_PATHS": ["/clinic/"]}
    with django_capture_on_commit_callbacks(execute=True):
        report(client, page=f"http://testserver{page}")
    assert OutboxEvent.objects.count() == 0
    assert list(SuppressedCount.objects.values_list("reason", "count")) == [("private path", 1)]


@pytest.mark.hostile
@pytest.mark.privacy
def test_under_a_prefix_of_the_server_a_private_page_is_private_too(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PRIVATE_PATHS": ["/clinic/"]}
    set_script_prefix("/shop/")
    try:
        report(client, page="http://testserver/shop/clinic/")
        assert OutboxEvent.objects.count() == 0
        assert private_prefixes(conf.current()) == ["/shop/clinic/"]  # a whole page would keep its static files' URL
    finally:
        set_script_prefix("/")


def test_a_request_with_urls_of_its_own_reports_to_these() -> None:
    class Other:
        urlpatterns: list[Any] = []

    assert beacon_url()
    set_urlconf(Other)
    try:
        assert beacon_url() == ""
    finally:
        set_urlconf(None)


@pytest.mark.hostile
@pytest.mark.parametrize("page", ["/kiosk/a/", "/admin/"])
def test_a_page_that_is_no_visitors_is_not_heard(client: Client, settings: Any, page: str) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "EXCLUDED_PATHS": ["/kiosk/", "/admin/"]}
    report(client, page=f"http://testserver{page}")
    assert_not_tracked()


@pytest.mark.privacy
def test_on_a_private_page_nothing_is_handed_over(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PRIVATE_PATHS": ["/clinic/"]}
    client.post("/lead/")
    for page, status in (("/clinic/", 204), ("/tea/", 200)):
        text = json.dumps({"pending": True, "page": f"http://testserver{page}"})
        assert client.post(URL, text, content_type="text/plain", **OWN).status_code == status  # type: ignore[arg-type]


@pytest.mark.parametrize("body", ["", "[]", "7", "{", "null", '"x"', "\x00", '{"action": ', "x" * 20_000, "[" * 9000])
def test_no_body_is_an_error(client: Client, body: str) -> None:
    assert client.post(URL, body, content_type="text/plain", **OWN).status_code == 204  # type: ignore[arg-type]
    assert_not_tracked()


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_post_is_heard(client: Client, method: str) -> None:
    assert getattr(client, method)(URL, **OWN).status_code == 405


def test_one_sender_is_heard_so_often_in_a_minute(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_attribution.visitor.rate_limit.time", lambda: 1_000_000.0)
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "BEACONS_PER_MINUTE": 3}
    for number in range(6):
        report(client, event_id=f"{ID[:-1]}{number}")
        report(client, {**OWN, "REMOTE_ADDR": f"8.8.8.{number}"}, event_id=f"{ID[:-2]}f{number}")
    assert OutboxEvent.objects.count() == 3 + 6


def test_a_cache_that_is_down_lets_reports_through(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("tiktok_attribution.visitor.rate_limit.cache.add", fail)
    report(client)
    assert_tracked("AddToCart")


@pytest.mark.privacy
def test_the_log_says_why_without_what_was_sent(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="tiktok_attribution"):
        report(client, event_id="ada@example.com")
        client.post(URL, "ada@example.com", content_type="text/plain", **OWN)  # type: ignore[arg-type]
    assert caplog.text.count("was refused") == 2
    assert "ada@" not in caplog.text


def test_a_site_that_switched_it_off_hears_nothing(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ENABLED": False}
    assert report(client).status_code == 204
    assert_not_tracked()


def test_who_is_no_visitor_is_not_heard(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "IS_VISITOR": lambda request: False}
    report(client)
    assert_not_tracked()


def test_a_receipt_confirms_what_its_page_showed(client: Client) -> None:
    page = client.post("/lead/", follow=True)
    event = OutboxEvent.objects.get()
    assert event.browser_at is not None
    assert event.browser_confirmed_at is None
    client.post(URL, json.dumps({"receipt": block_of(page)["receipt"]}), content_type="text/plain", **OWN)  # type: ignore[arg-type]
    event.refresh_from_db()
    assert event.browser_confirmed_at is not None


def test_a_receipt_of_ones_own_making_confirms_nothing(client: Client) -> None:
    client.post("/lead/", follow=True)
    for text in ("", "x", [["C0EXAMPLE0000000000", "Lead", "lead-1"]], None):
        client.post(URL, json.dumps({"receipt": text}), content_type="text/plain", **OWN)  # type: ignore[arg-type]
    assert OutboxEvent.objects.get().browser_confirmed_at is None


def test_what_waits_is_told_once_to_its_visitor(client: Client) -> None:
    client.post("/lead/")
    assert client.cookies["tiktok_waiting"].value == "1"
    answer = client.post(URL, '{"pending": true}', content_type="text/plain", **OWN)  # type: ignore[arg-type]
    assert [call["event_id"] for call in answer.json()["calls"]] == ["lead-1"]
    assert "private" in answer["Cache-Control"]
    assert client.cookies["tiktok_waiting"].value == ""
    again = client.post(URL, '{"pending": true}', content_type="text/plain", **OWN)  # type: ignore[arg-type]
    assert again.status_code == 204


def test_another_site_can_not_make_it_forgotten(client: Client) -> None:
    client.post("/lead/")
    client.post(URL, '{"pending": true}', content_type="text/plain", HTTP_SEC_FETCH_SITE="cross-site")
    assert OutboxEvent.objects.get().browser_at is None
