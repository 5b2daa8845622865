"""Pages whose template lacks the tag: they are noted where it matters, and INSERT_TAG puts it in."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync
from csp.constants import NONCE
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import RequestContext, Template
from django.test import AsyncClient, Client
from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.decorators.http import condition

from tests.browser.reading import loaded, parsed, tracked
from tiktok_attribution.browser import untagged
from tiktok_attribution.browser.insertion import end_of_head
from tiktok_attribution.doctor import front_page
from tiktok_attribution.models import Heartbeat

pytestmark = pytest.mark.django_db

HEAD = "<!doctype html><html><head><title>Thank you</title></head>"
PAGE = HEAD + "<body>Grüße</body></html>"


def thank_you(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def variant(request: HttpRequest, kind: str) -> Any:
    answers = {
        "latin": lambda: HttpResponse(PAGE.encode("latin-1"), content_type="text/html; charset=iso-8859-1"),
        "utf16": lambda: HttpResponse(PAGE.encode("utf-16"), content_type="text/html; charset=utf-16"),
        "odd-charset": lambda: HttpResponse(PAGE.encode(), headers={"Content-Type": "text/html; charset=martian"}),
        "gzip": lambda: HttpResponse(gzip.compress(PAGE.encode()), headers={"Content-Encoding": "gzip"}),
        "stream": lambda: StreamingHttpResponse([PAGE]),
        "json": lambda: JsonResponse({"html": PAGE}),
        "download": lambda: HttpResponse(PAGE, headers={"Content-Disposition": "attachment"}),
        "fragment": lambda: HttpResponse("<p>Hello</p>"),
        "error": lambda: HttpResponse(PAGE, status=500),
        "length": lambda: HttpResponse(PAGE, headers={"Content-Length": str(len(PAGE.encode()))}),
        "no-end-tag": lambda: HttpResponse("<!doctype html><title>Hi</title><body>Hello"),
    }
    return answers[kind]()


def tagged(request: HttpRequest) -> HttpResponse:
    text = "{% load tiktok_attribution %}<html><head>{% tiktok_pixel %}</head></html>"
    return HttpResponse(Template(text).render(RequestContext(request)))


async def async_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


urlpatterns = [
    path("thank-you/", thank_you, name="checkout-of-the-long-named-shop:thank-you"),
    path("private/", thank_you),
    path("office/", thank_you),
    path("admin/", admin.site.urls),
    path("variant/<str:kind>/", variant),
    path("async-page/", async_page),
    path("etag/", condition(etag_func=lambda request: '"same"')(thank_you)),
    path("cached-plain/", cache_page(60)(thank_you)),
    path("cached-tagged/", cache_page(60)(tagged)),
    path("", include("tests.browser.site")),
]


@pytest.fixture(autouse=True)
def _site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = "tests.browser.test_untagged"
    monkeypatch.setattr(untagged, "_looked_at", {})
    monkeypatch.setattr(untagged, "_told", set())


@pytest.fixture
def inserts(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "INSERT_TAG": True}


def noted() -> list[str]:
    return [result.what for result in front_page.untagged()]


def test_a_page_without_the_tag_is_named_where_an_event_waits(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.post("/lead/")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            client.get("/thank-you/")
    assert caplog.text.count("checkout-of-the-long-named-shop:thank-you has no") == 1
    (what,) = noted()
    assert "shop:thank-you" in what
    assert Heartbeat.objects.filter(pk__startswith="no-tag:").count() == 1
    assert tracked(client.get("/page/")) == ["Lead"]


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/page/", {}),
        ("/json/", {}),
        ("/variant/stream/", {}),
        ("/variant/error/", {}),
        ("/variant/download/", {}),
        ("/private/", {}),
        ("/office/", {}),
        ("/admin/login/", {}),
        ("/thank-you/", {"Sec-Fetch-Dest": "image"}),
        ("/thank-you/", {"Sec-Fetch-Dest": "iframe"}),
        ("/thank-you/", {"HX-Request": "true"}),
        ("/thank-you/", {"Sec-Purpose": "prefetch"}),
    ],
)
def test_what_needs_no_tag_is_not_named(client: Client, settings: Any, address: str, headers: dict[str, str]) -> None:
    more = {"PRIVATE_PATHS": ["/private/"], "EXCLUDED_PATHS": ["/office/"]}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **more}
    client.post("/lead/")
    client.get(address, headers=headers)
    assert noted() == []


def test_nothing_is_named_where_nothing_waits(client: Client) -> None:
    client.get("/thank-you/")
    client.post("/lead/")
    client.get("/page/")
    client.get("/thank-you/")
    assert noted() == []


def test_a_page_out_of_a_cache_has_its_tag(client: Client) -> None:
    client.get("/cached-tagged/")
    client.post("/lead/")
    client.get("/cached-tagged/")
    assert noted() == []


def test_it_is_looked_at_once_a_minute(client: Client) -> None:
    client.post("/lead/")
    with patch("tiktok_attribution.delivery.turns.beat") as beat:
        for _ in range(3):
            client.get("/thank-you/")
    assert beat.call_count == 1


def test_the_result_is_of_the_last_day(client: Client) -> None:
    client.post("/lead/")
    client.get("/thank-you/")
    Heartbeat.objects.update(seen_at=1)
    assert noted() == []


def test_without_the_setting_a_page_is_left_as_it_is(client: Client) -> None:
    assert client.get("/thank-you/").content.decode() == PAGE


@pytest.mark.usefixtures("inserts")
@pytest.mark.parametrize("address", ["/thank-you/", "/variant/latin/", "/variant/length/", "/async-page/"])
def test_the_tag_is_put_before_the_end_of_the_head(client: Client, address: str) -> None:
    answer = client.get(address)
    text = answer.content.decode(answer.charset)
    assert len(loaded(text)) == 1
    assert text.index("<script>") < text.index("</head>")
    assert text.endswith("<body>Grüße</body></html>")
    if answer.has_header("Content-Length"):
        assert int(answer["Content-Length"]) == len(answer.content)
    assert "Cache-Control" not in answer


@pytest.mark.usefixtures("inserts")
def test_a_page_that_leaves_its_end_tags_out_gets_it_before_the_body(client: Client) -> None:
    text = client.get("/variant/no-end-tag/").content.decode()
    assert text.index("</script>") < text.index("<body>")


@pytest.mark.usefixtures("inserts")
def test_what_waits_is_in_it_and_makes_the_page_private(client: Client) -> None:
    client.post("/lead/")
    answer = client.get("/thank-you/")
    assert tracked(answer) == ["Lead"]
    assert "private" in answer["Cache-Control"]
    assert (tracked(client.get("/thank-you/")), noted()) == ([], [])


@pytest.mark.usefixtures("inserts")
def test_under_asgi_too() -> None:
    async def visit() -> list[list[str]]:
        visitor = AsyncClient()
        await visitor.post("/lead/")
        return [tracked(await visitor.get("/async-page/")) for _ in range(2)]

    assert async_to_sync(visit)() == [["Lead"], []]


@pytest.mark.usefixtures("inserts")
@pytest.mark.parametrize("kind", ["utf16", "odd-charset", "gzip", "stream", "json", "download", "fragment", "error"])
def test_what_can_not_take_it_is_left_as_it_is(client: Client, kind: str) -> None:
    client.raise_request_exception = False
    answer = client.get(f"/variant/{kind}/")
    content = b"".join(answer) if answer.streaming else answer.content
    assert b"Tiktok" not in content


@pytest.mark.usefixtures("inserts")
def test_a_page_with_the_tag_gets_no_second(client: Client) -> None:
    for address in ("/page/", "/cached-tagged/", "/cached-tagged/", "/cached-plain/", "/cached-plain/"):
        assert len(loaded(client.get(address))) == 1


@pytest.mark.usefixtures("inserts")
def test_no_tag_where_the_site_wants_none(client: Client, settings: Any) -> None:
    more = {"PRIVATE_PATHS": ["/private/"], "EXCLUDED_PATHS": ["/office/"]}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **more}
    for address in ("/private/", "/office/", "/admin/login/"):
        assert loaded(client.get(address)) == []


@pytest.mark.usefixtures("inserts")
def test_an_answer_to_a_script_is_left_as_it_is(client: Client) -> None:
    for headers in ({"Sec-Fetch-Dest": "empty", "Accept": "*/*"}, {"HX-Request": "true"}, {"Sec-Fetch-Dest": "image"}):
        assert client.get("/thank-you/", headers=headers).content.decode() == PAGE


@pytest.mark.usefixtures("inserts")
def test_the_validator_is_of_the_page_without_it(client: Client) -> None:
    assert client.get("/etag/")["ETag"] == 'W/"same"'
    assert client.get("/etag/", headers={"If-None-Match": 'W/"same"'}).status_code == 304


@pytest.mark.usefixtures("inserts")
def test_compression_outside_finds_the_tag_in_it(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware", *settings.MIDDLEWARE]
    answer = client.get("/thank-you/", headers={"Accept-Encoding": "gzip"})
    assert len(loaded(gzip.decompress(answer.content).decode())) == 1
    assert int(answer["Content-Length"]) == len(answer.content)


@pytest.mark.usefixtures("inserts")
def test_it_has_the_pages_nonce(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = ["csp.middleware.CSPMiddleware", *settings.MIDDLEWARE]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": ["'self'", NONCE]}}
    answer = client.get("/thank-you/")
    (attributes,) = parsed(answer.content.decode()).attributes
    assert f"'nonce-{attributes['nonce']}'" in answer["Content-Security-Policy"]


@pytest.mark.usefixtures("inserts")
def test_with_the_page_script_it_is_the_data_block(client: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PAGE_SCRIPT": True}
    (first, *_) = parsed(client.get("/thank-you/").content.decode()).scripts
    assert json.loads(first)["pixels"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("<head><script>var a = '</head>';</script></head>", "</head>"),
        ("<head><!-- </head> --></HEAD >", "</HEAD >"),
        ("<head><title></head></title></head>", "</head>"),
        ("<head><style>/* <body> */</style></head>", "</head>"),
        ("<header></header><p>", None),
        ("<head><script>never closed </head>", None),
        ("<head><!-- never closed </head>", None),
        ("<!--" * 50_000 + "</head>", None),
        ("<script>" * 50_000 + "</head>", None),
    ],
)
def test_the_end_of_the_head_is_not_what_looks_like_it(text: str, before: str | None) -> None:
    place = end_of_head(text.encode())
    assert place == (None if before is None else text.rindex(before))
