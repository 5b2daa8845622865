from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils.translation import override

from tests.visitor.undone import rolled_back
from tiktok_attribution.events import BrowserCall
from tiktok_attribution.events.page_url import clean_address
from tiktok_attribution.visitor.visitor import Commitment, PixelCall, Visitor, visitor_of


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.visitor.site"


def ask(path: str = "/", client: Client | None = None, **headers: str) -> Any:
    return json.loads((client or Client()).get(path, **headers).content)


def test_the_request_tells_who_it_is() -> None:
    client = Client()
    client.cookies["_ttp"] = "ttp-value"
    user = ask(
        client=client, REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT="Agent/1", HTTP_ACCEPT_LANGUAGE="pt-BR,pt;q=0.8"
    )["user"]
    assert {key: value for key, value in user.items() if value} == {
        "ttp": "ttp-value",
        "ip": "81.2.69.142",
        "user_agent": "Agent/1",
        "locale": "pt-BR",
    }


def test_the_address_stands_behind_a_trusted_proxy(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"TRUSTED_PROXIES": ["10.0.0.0/8"]}
    user = ask(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 81.2.69.142")["user"]
    assert user["ip"] == "81.2.69.142"


def test_the_pixels_cookie_is_never_made_up() -> None:
    assert ask()["user"]["ttp"] == ""


@pytest.mark.privacy
def test_addresses_hold_only_what_is_allowed(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"ALLOWED_QUERY_PARAMETERS": ["variant"]}
    query = "ttclid=c&utm_source=tt&variant=red&email=jane@example.com&token=s3cret"
    page = ask(f"/jane@example.com/x?{query}", HTTP_REFERER="https://jane:pw@mail.example/box?id=7#top")["page"]
    assert page == {
        "url": "http://testserver/-/x?ttclid=c&utm_source=tt&variant=red",
        "referrer": "https://mail.example/box",
    }


def test_a_long_address_is_cut() -> None:
    assert len(ask("/" + "x" * 3000)["page"]["url"]) == 2000


@pytest.mark.parametrize("path", ["/a%20b/", "//other.example/", "/a/../b/", "/%C3%BC/"])
@pytest.mark.parametrize("query", ["", "utm_source=tiktok", "utm_source=\u00c3\u00bc", "utm_source=a?b"])
def test_the_own_address_is_the_one_that_django_builds(path: str, query: str) -> None:
    request = RequestFactory().get("/", QUERY_STRING=query)
    request.path = unquote(path)
    assert Visitor(request).page.url == clean_address(request.build_absolute_uri(), ("utm_*",))


def test_a_forged_host_leaves_no_page() -> None:
    assert Visitor(RequestFactory().get("/", HTTP_HOST="evil.example")).page.url == ""


@pytest.mark.parametrize(
    ("path", "cookie", "is_shopper"),
    [
        ("/", False, True),
        ("/hook/", False, False),
        ("/hook/", True, True),
        ("/office/who/", True, False),
        ("/private/who/", True, False),
        ("/privately/", True, True),
    ],
)
def test_who_is_a_shopper(settings: Any, path: str, cookie: bool, is_shopper: bool) -> None:
    settings.TIKTOK_ATTRIBUTION = {"EXCLUDED_PATHS": ["/private/"]}
    client = Client()
    if cookie:
        client.cookies["ttclid"] = "abc"
    assert ask(path, client)["is_shopper"] is is_shopper


def test_the_admin_is_no_shop_before_its_url_is_resolved() -> None:
    assert not Visitor(RequestFactory().get("/admin/")).is_shopper


def test_the_admin_is_no_shop_in_any_language(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.visitor.many_languages"
    for language in ("en", "de"):
        with override(language):
            assert not Visitor(RequestFactory().get(f"/{language}/admin/")).is_shopper


def test_what_is_asked_before_the_url_is_resolved_is_asked_again() -> None:
    request = RequestFactory().get("/hook/")
    visitor = Visitor(request)
    assert visitor.is_shopper
    request.resolver_match = resolve("/hook/")
    assert not visitor.is_shopper


@pytest.mark.parametrize(("answer", "is_shopper"), [(True, True), (False, False), (None, False)])
def test_the_site_may_say_who_is_a_shopper(settings: Any, answer: bool | None, is_shopper: bool) -> None:
    settings.TIKTOK_ATTRIBUTION = {"IS_VISITOR": lambda request: answer}
    assert ask("/hook/")["is_shopper"] is is_shopper


def test_who_signs_in_during_the_request_is_matched_from_then_on() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    visitor = visitor_of(request)
    assert not visitor.signed_in.external_id
    request.user = Member()  # type: ignore[assignment]
    assert visitor.signed_in.external_id


class Member:
    is_authenticated = True
    pk, email = 7, "jane@example.com"


def test_a_request_has_one_visitor() -> None:
    request = HttpRequest()
    assert visitor_of(request) is visitor_of(request)


def pixel_call(event_id: str) -> PixelCall:
    return PixelCall(call=BrowserCall(name="Lead", properties={}, event_id=event_id), pixel_codes=("C0",), identify={})


@pytest.mark.django_db(transaction=True)
def test_only_what_was_rolled_back_is_forgotten() -> None:
    visitor = Visitor(HttpRequest())
    with transaction.atomic():
        visitor.show(pixel_call("kept"), Commitment("default"))
        with rolled_back():
            visitor.show(pixel_call("undone"), Commitment("default"))
            visitor.watch("shop.Order:1", Commitment("default"))
        assert [one.call.event_id for one in visitor.to_show] == ["kept"]
    assert [one.call.event_id for one in visitor.to_show] == ["kept"]
    assert visitor.to_watch == []


@pytest.mark.django_db(transaction=True)
def test_two_that_are_alike_are_two() -> None:
    visitor = Visitor(HttpRequest())
    visitor.show(pixel_call("same"), Commitment("default"))
    with rolled_back():
        visitor.show(pixel_call("same"), Commitment("default"))
    assert len(visitor.to_show) == 1
