"""A response that is one visitor's own stays out of every shared cache, also of one that looks at its own header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils.cache import patch_cache_control

from tests.browser.reading import tracked
from tiktok_attribution.visitor.cookies import make_private

FOR_CACHES = {
    "CDN-Cache-Control": "max-age=600",
    "Cloudflare-CDN-Cache-Control": "max-age=600",
    "Vercel-CDN-Cache-Control": "max-age=600",
    "Netlify-CDN-Cache-Control": "public, durable, s-maxage=600",
    "Another-Cache-Control": "max-age=600",
    "X-LiteSpeed-Cache-Control": "public, max-age=600",
    "surrogate-control": "max-age=600",
    "Edge-Control": "!no-store, max-age=10m",
    "X-Accel-Expires": "600",
    "Expires": "Thu, 01 Jan 2099 00:00:00 GMT",
}
NOT_STORED = {
    "CDN-Cache-Control": "private, no-store",
    "Cloudflare-CDN-Cache-Control": "private, no-store",
    "Vercel-CDN-Cache-Control": "private, no-store",
    "Netlify-CDN-Cache-Control": "private, no-store",
    "Another-Cache-Control": "private, no-store",
    "X-LiteSpeed-Cache-Control": "no-cache",
    "Surrogate-Control": "private, no-store, max-age=0",
    "Edge-Control": "no-store",
    "X-Accel-Expires": "0",
    "Expires": None,
}
SHARED = "public, max-age=60, s-maxage=600, stale-while-revalidate=60, stale-if-error=60, immutable"

OWN = {"Sec-Fetch-Site": "same-origin"}


def cached_by_everybody(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware of a site that has every page stored by its CDN."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Cache-Control"] = SHARED
        for name, value in FOR_CACHES.items():
            response[name] = value
        return response

    return middleware


@pytest.fixture
def cdn(settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.cached_by_everybody"]


def for_caches(response: HttpResponse) -> dict[str, str | None]:
    return {name: response.get(name) for name in NOT_STORED}


def directives(response: HttpResponse) -> set[str]:
    return set(response["Cache-Control"].split(", "))


@pytest.mark.hostile
@pytest.mark.django_db
@pytest.mark.usefixtures("cdn")
@pytest.mark.parametrize(
    "visit",
    [
        lambda client: client.get("/page/"),
        lambda client: client.get("/page/?ttclid=E.C.P.1"),
        lambda client: client.get("/lead-page/"),
        lambda client: client.post("/lead/?event_id=lead-2"),
        lambda client: client.get("/thrown-away/?as=error"),
        lambda client: client.post("/tiktok/consent/", "{}", "application/json", headers=OWN),
        lambda client: client.get("/waiting/"),
        lambda client: client.get("/json/", headers={"X-TikTok-Events": "1"}),
    ],
    ids=["shows", "shows and lands", "makes and shows", "sets the cookie", "error", "consent", "field", "header"],
)
def test_what_is_one_visitors_own_is_stored_by_no_cache(
    client: Client, settings: Any, visit: Callable[[Client], HttpResponse]
) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True}
    client.post("/lead/")
    response = visit(client)
    assert for_caches(response) == NOT_STORED
    assert "private" in directives(response)
    assert not directives(response) & set(SHARED.replace(" max-age=60,", "").split(", "))


@pytest.mark.django_db
@pytest.mark.usefixtures("cdn")
@pytest.mark.parametrize("path", ["/?ttclid=E.C.P.1", "/page/?ttclid=E.C.P.1"])
def test_a_landing_that_sets_the_click_id_is_stored_by_no_cache(path: str) -> None:
    response = Client().get(path)
    assert response.cookies["ttclid"].value == "E.C.P.1"
    assert for_caches(response) == NOT_STORED


@pytest.mark.django_db
@pytest.mark.usefixtures("cdn")
def test_an_ordinary_page_keeps_what_the_site_tells_its_cdn(client: Client) -> None:
    response = client.get("/page/")
    assert tracked(response) == []
    assert {name: response[name] for name in FOR_CACHES} == FOR_CACHES
    assert response["Cache-Control"] == SHARED


@pytest.mark.parametrize(
    ("written", "private"),
    [
        (None, "private"),
        ("", "private"),
        ("max-age=60", "max-age=60, private"),
        ("public", "private"),
        ("S-MaxAge=60 , Public,no-transform", "no-transform, private"),
        ('private="Set-Cookie", max-age=60', "private, max-age=60"),
        ("no-store", "no-store, private"),
        ("s-maxage=60", "private"),
    ],
)
def test_cache_control_keeps_what_is_for_the_browser(written: str | None, private: str) -> None:
    response = HttpResponse()
    if written is not None:
        response["Cache-Control"] = written
    make_private(response)
    assert response["Cache-Control"] == private


def test_nothing_is_added_that_the_site_has_not_set() -> None:
    response = HttpResponse()
    make_private(response, max_age=0)
    assert dict(response.items()) == {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, max-age=0"}


def test_what_is_private_already_stays_as_it_is() -> None:
    response = HttpResponse()
    patch_cache_control(response, private=True, no_store=True, max_age=0)
    before = response["Cache-Control"]
    make_private(response)
    assert response["Cache-Control"] == before
