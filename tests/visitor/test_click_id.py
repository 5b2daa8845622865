from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution import conf
from tiktok_attribution.visitor import cookies, matching

LONGEST = "x" * matching.MOST_CHARACTERS


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ""),
        ("ttclid=E.C.P.abc-123_4", "E.C.P.abc-123_4"),
        ("utm_source=tiktok&ttclid=abc&x=1", "abc"),
        ("ttclid=first&ttclid=second", "second"),
        ("ttclid=", ""),
        ("xttclid=abc", ""),
        ("ttclid", ""),
        (f"ttclid={LONGEST}", LONGEST),
        (f"ttclid={LONGEST}x", ""),
        ("ttclid=abc%0d%0aSet-Cookie:%20a=b", ""),
        ("ttclid=%00abc", ""),
        ("ttclid=%E2%82%AC", ""),
        ("ttclid=%ff", ""),
        ("ttclid=%20abc%0A", "abc"),
        ("&".join(["a=1"] * 200) + "&ttclid=abc", ""),
    ],
)
def test_the_click_id_of_a_landing(query: str, found: str) -> None:
    assert matching.from_query(query) == found


@pytest.mark.privacy
def test_an_e_mail_address_is_no_click_id() -> None:
    assert matching.from_query("ttclid=jane.doe@example.com") == ""


@given(st.text(max_size=50))
def test_whatever_passes_can_be_a_header(text: str) -> None:
    found = matching.from_query(f"ttclid={quote(text, errors='replace')}")
    response = HttpResponse()
    response.set_cookie("ttclid", found)
    assert "\n" not in response.cookies["ttclid"].OutputString()
    assert "\r" not in response.cookies["ttclid"].OutputString()


def remembered(**settings: Any) -> Any:
    response = HttpResponse()
    is_secure = settings.pop("secure", True)
    request = RequestFactory().get("/", secure=is_secure)
    cookies.remember(response, request, "abc", conf.read(settings))
    return response


def test_the_cookie_lasts_thirty_days_and_is_the_sites_own() -> None:
    cookie = remembered().cookies["ttclid"]
    assert cookie.value == "abc"
    assert {key: cookie[key] for key in ("max-age", "httponly", "samesite", "secure", "path", "domain")} == {
        "max-age": 30 * 86_400,
        "httponly": True,
        "samesite": "Lax",
        "secure": True,
        "path": "/",
        "domain": "",
    }


def test_days_and_domain_are_settings() -> None:
    cookie = remembered(CLICK_ID_DAYS=90, COOKIE_DOMAIN="shop.example").cookies["ttclid"]
    assert (cookie["max-age"], cookie["domain"]) == (90 * 86_400, "shop.example")


def test_without_https_the_cookie_is_kept_all_the_same() -> None:
    assert not remembered(secure=False).cookies["ttclid"]["secure"]


def test_the_response_is_one_visitors_own() -> None:
    assert "private" in remembered()["Cache-Control"]


@pytest.fixture
def visitor_site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.visitor.site"


@pytest.mark.usefixtures("visitor_site")
def test_a_new_click_wins_over_an_old_one_and_stays() -> None:
    client = Client()
    seen = [json.loads(client.get(path).content)["user"]["ttclid"] for path in ("/?ttclid=old", "/?ttclid=new", "/")]
    assert seen == ["old", "new", "new"]


@pytest.mark.usefixtures("visitor_site")
def test_a_broken_click_does_not_cost_the_one_before() -> None:
    client = Client()
    client.get("/?ttclid=old")
    assert json.loads(client.get("/?ttclid=new%0d%0abad:x").content)["user"]["ttclid"] == "old"


@pytest.mark.usefixtures("visitor_site")
def test_a_cookie_of_somebodys_making_is_cleaned() -> None:
    client = Client()
    client.cookies["ttclid"] = LONGEST + "x"
    assert json.loads(client.get("/").content)["user"]["ttclid"] == ""
