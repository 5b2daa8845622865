"""Whatever a shopper types, over its whole way: from the form or the address to every tag and every hand-over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.test import Client
from django.urls import path
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.browser.blocks import blocks_of
from tests.browser.reading import calls, parsed
from tests.browser.site import html
from tests.browser.site import urlpatterns as pages
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.browser import signed_events
from tiktok_attribution.conversions import receivers

NASTY = [
    "</script>",
    "<!--<script>",
    "]]>",
    "'\"",
    "\\",
    "\u2028",
    "\r\nX-Evil: 1\r\n",
    "\x00",
    "😀",
    "&lt;",
    "%0d%0a",
    "{{",
]
typed = st.text(st.characters(codec="utf-8"), max_size=40) | st.lists(
    st.sampled_from(NASTY), min_size=1, max_size=5
).map("".join)
FIELDS = ("name", "email", "phone", "words", "note")
fields = st.fixed_dictionaries(dict.fromkeys(FIELDS, typed))
addresses = st.dictionaries(st.sampled_from(["ttclid", "utm_source", "q"]) | typed, typed, max_size=4)

ALL = "".join(NASTY)
PURCHASE = {
    "event": "Purchase",
    "value": "total",
    "currency": "currency",
    "description": "customer_id",
    "user": {"email": "email", "phone": "phone", "first_name": "customer_id", "external_id": "customer_id"},
}
EVERY_TAG = (
    '{% tiktok_event "Search" search_string=words description=note %}'
    '{% tiktok_event "Contact" server=True search_string=words own=note %}'
    "<i {% tiktok_action 'Search' search_string=words own=note %}></i>"
)


def bought(request: HttpRequest) -> HttpResponse:
    """A checkout that tells of what was typed."""
    form = request.POST.dict()
    track(request, "Search", search_string=form["words"], description=form["note"], own=form["name"])
    email, phone, name = (_storable(form[key]) for key in ("email", "phone", "name"))
    Order.objects.create(total=5, email=email[:254], phone=phone[:40], customer_id=name[:64])
    return redirect("/page/")


def _storable(text: str) -> str:
    """As the shop's own table can have it: PostgreSQL knows no NUL in a text, and Django's forms refuse one anyway."""
    return text.replace("\0", "") if connection.features.prohibits_null_characters_in_text_exception else text


def tagged(request: HttpRequest) -> HttpResponse:
    """Every tag, with what was typed in the form and what stands in the address."""
    form = request.POST.dict()
    return HttpResponse(html(request, EVERY_TAG, words=form["words"], note=request.GET.get("q", "")))


urlpatterns = [*pages, path("bought/", bought), path("tagged/", tagged)]


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


@pytest.fixture(params=[False, True], ids=["inline", "page script"])
def page_script(request: Any, settings: Any) -> bool:
    settings.ROOT_URLCONF = __name__
    settings.TIKTOK_ATTRIBUTION = {
        **settings.TIKTOK_ATTRIBUTION,
        "PAGE_SCRIPT": request.param,
        "SITE_URL": "https://shop.example",
        "CONVERSIONS": {"shop.Order": PURCHASE},
        "BOTS": False,
    }
    receivers.connect()
    return bool(request.param)


fuzzed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def whole(page: str, *, page_script: bool) -> None:
    """Fails where the text broke out of its script, or data is not JSON."""
    found = parsed(page)
    assert {text.strip() for text in found.others} <= {"", "title", "Page", "link", "body", "i"}
    if page_script:
        assert all(set(block) <= {"pixels", "host", "options", "url", "calls", "receipt"} for block in blocks_of(page))
    else:
        calls(page)
    elements = _Elements()
    elements.feed(page)
    for tag, attributes in elements.found:
        if tag == "i":
            assert {name for name, _ in attributes} <= {"tiktok-action"}
            for signed in (text or "" for _, text in attributes):
                assert re.fullmatch(r"[\w-]+:[\w-]+", signed, re.ASCII)
                signed_events.read(signed, max_age_days=1)


def agent(headers: dict[str, str], text: str) -> dict[str, str]:
    """Headers take no line breaks; a browser would not send them."""
    plain = text.encode("ascii", "ignore").decode().translate({ord(one): None for one in "\r\n\x00"})
    return {**headers, "HTTP_USER_AGENT": plain, "HTTP_REFERER": f"https://shop.example/?q={plain}"}


@pytest.mark.django_db
@fuzzed
@given(fields, addresses)
@example(dict.fromkeys(FIELDS, ALL), {"ttclid": ALL, "q": ALL})
def test_nothing_breaks_out_of_a_tag(page_script: bool, form: dict[str, str], address: dict[str, str]) -> None:
    response = Client().post("/tagged/", form, query_params=address, **agent({}, form["note"]))  # type: ignore[arg-type]
    whole(response.content.decode(), page_script=page_script)


@pytest.mark.django_db
@fuzzed
@given(fields, addresses)
@example(dict.fromkeys(FIELDS, ALL), {"ttclid": ALL, "q": ALL})
def test_nothing_breaks_out_on_the_page_after(page_script: bool, form: dict[str, str], address: dict[str, str]) -> None:
    client = Client()
    client.post("/bought/", form, query_params=address, **agent({}, form["note"]))  # type: ignore[arg-type]
    page = client.get("/page/").content.decode()
    whole(page, page_script=page_script)
    assert "Purchase" in page


HANDED: dict[str, Callable[[Client], Any]] = {
    "htmx": lambda client: client.get("/json/", HTTP_HX_REQUEST="true").headers.get("HX-Trigger"),
    "fetch": lambda client: client.get("/json/", HTTP_X_TIKTOK_EVENTS="1").headers.get("X-TikTok-Events"),
    "field": lambda client: client.get("/waiting/").content.decode(),
    "banner": lambda client: client.post(
        "/tiktok/consent/", "{}", "application/json", HTTP_ORIGIN="http://testserver"
    ).content.decode(),
}


@pytest.mark.django_db
@pytest.mark.parametrize("page_script", [True], indirect=True)
@pytest.mark.parametrize("way", HANDED)
@settings(fuzzed, max_examples=25)
@given(fields)
@example(dict.fromkeys(FIELDS, ALL))
def test_what_is_handed_over_is_json_and_one_line(page_script: bool, way: str, form: dict[str, str]) -> None:
    client = Client()
    client.post("/bought/", form, HTTP_USER_AGENT="Mozilla/5.0")
    text = HANDED[way](client)
    assert text is not None
    assert "Purchase" in json.dumps(json.loads(text))
    assert text.isascii()
    assert not set(text) & set("\r\n\x00")
