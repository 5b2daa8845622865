"""HTML that nobody sees takes nothing of what waits for a page."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.test import Client
from django.urls import include, path

from tests.browser.reading import tracked
from tiktok_attribution.models import OutboxEvent

pytestmark = pytest.mark.django_db

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
IMAGE = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
TURBO = "text/html, application/xhtml+xml"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The site's page, which extends its base."""
    text = "{% load tiktok_attribution %}<html><head>{% tiktok_pixel %}</head>Not here</html>"
    return HttpResponse(Template(text).render(RequestContext(request)), status=404)


handler404 = not_found
urlpatterns = [path("", include("tests.browser.site"))]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.browser.test_unseen"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "image", "Accept": IMAGE},
        {"Sec-Fetch-Dest": "style", "Accept": "text/css,*/*;q=0.1"},
        {"Sec-Fetch-Dest": "script", "Accept": "*/*"},
        {"Sec-Fetch-Dest": "empty", "Accept": "*/*"},  # a script that fetches pages ahead, as quicklink does
        {"Sec-Fetch-Dest": "empty", "Accept": TURBO, "Turbo-Frame": "cart"},  # Turbo keeps the frame of it alone
        {"Sec-Fetch-Dest": "serviceworker", "Accept": "*/*"},
        {"Accept": IMAGE},  # plain http, and Safari before 16.4
        {"Accept": "*/*"},
        {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html, */*"},
        {"HX-Request": "true", "HX-Boosted": "true"},  # htmx drops the <head>
    ],
)
@pytest.mark.parametrize("address", ["/missing.png", "/page/"])
def test_what_waits_waits_on(client: Client, headers: dict[str, str], address: str) -> None:
    client.post("/lead/")
    assert tracked(client.get(address, headers=headers)) == []
    assert OutboxEvent.objects.get().browser_at is None
    assert tracked(client.get("/page/", headers={"Sec-Fetch-Dest": "document", "Accept": HTML})) == ["Lead"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "document", "Accept": HTML},
        {"Sec-Fetch-Dest": "iframe", "Accept": HTML},
        {"Sec-Fetch-Dest": "empty", "Accept": TURBO},
        {"Accept": HTML},
        {},
    ],
)
@pytest.mark.parametrize("address", ["/missing/", "/page/"])
def test_a_page_gets_what_waits(client: Client, headers: dict[str, str], address: str) -> None:
    client.post("/lead/")
    assert tracked(client.get(address, headers=headers)) == ["Lead"]


def test_an_image_takes_no_event_of_an_object_either(client: Client, settings: Any) -> None:
    purchase = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"shop.Order": purchase}}
    answer = client.get("/order-fragment/", headers={"Sec-Fetch-Dest": "image"})
    assert tracked(answer) == []
    assert tracked(client.get("/page/")) == ["Purchase"]
