"""Which page an event is of, when a script of that page sends the request."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from tiktok_attribution.visitor.visitor import Visitor

ENDPOINT = "http://testserver/api/cart/"
PAGE = "http://testserver/products/42/"
HTMX = {"HX-Request": "true", "HX-Current-URL": PAGE}
FETCH = {"Sec-Fetch-Dest": "empty", "Accept": "*/*"}
TURBO = {"Sec-Fetch-Dest": "empty", "Accept": "text/html, application/xhtml+xml"}


def page_of(**headers: str) -> tuple[str, str]:
    page = Visitor(RequestFactory().post("/api/cart/", headers=headers)).page
    return page.url, page.referrer


@pytest.mark.parametrize(
    "headers",
    [
        HTMX,
        {**HTMX, "Referer": "http://testserver/another/"},
        {"HX-Request": "true", "HX-Current-URL": "https://evil.example/", "Referer": PAGE},
        {"HX-Request": "true", "Referer": PAGE},
        {
            **HTMX,
            "HX-Current-URL": "http%3A%2F%2Ftestserver%2Fproducts%2F42%2F",
            "HX-Current-URL-URI-AutoEncoded": "true",
        },
        {**FETCH, "Referer": PAGE},
        {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html, */*", "Referer": PAGE},
        {"X-TikTok-Events": "1", "Referer": PAGE},
        {**TURBO, "Turbo-Frame": "cart", "Referer": PAGE},
    ],
)
def test_a_scripts_request_is_of_the_page_it_runs_on(headers: dict[str, str]) -> None:
    assert page_of(**headers) == (PAGE, "")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Dest": "document"},
        TURBO,
        {**HTMX, "HX-Boosted": "true"},
        {**HTMX, "HX-History-Restore-Request": "true"},
        {"X-Requested-With": "XMLHttpRequest", "X-PJAX": "true"},
        {"X-Requested-With": "swup", **TURBO},
    ],
)
def test_a_page_is_of_its_own_address_however_it_is_brought(headers: dict[str, str]) -> None:
    assert page_of(**headers, Referer=PAGE) == (ENDPOINT, PAGE)


def test_another_site_names_no_page() -> None:
    assert page_of(**FETCH, Referer="https://evil.example/x/") == (ENDPOINT, "https://evil.example/x/")
    assert page_of(**{**HTMX, "HX-Current-URL": "https://evil.example/"})[0] == ENDPOINT
    assert page_of(**{**HTMX, "HX-Current-URL": "javascript:alert(1)"})[0] == ENDPOINT


def test_the_sites_own_address_counts_behind_a_proxy(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"SITE_URL": "https://shop.example"}
    assert page_of(**FETCH, Referer="https://shop.example/products/42/") == ("https://shop.example/products/42/", "")


@pytest.mark.privacy
@pytest.mark.parametrize("headers", [{**HTMX}, {**FETCH, "Referer": PAGE}])
def test_a_private_page_is_not_named_by_its_scripts(settings: Any, headers: dict[str, str]) -> None:
    settings.TIKTOK_ATTRIBUTION = {"PRIVATE_PATHS": ["/products/"]}
    assert page_of(**headers) == (ENDPOINT, "")


@pytest.mark.privacy
def test_a_private_endpoint_names_no_page(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"PRIVATE_PATHS": ["/api/"]}
    assert page_of(**HTMX) == ("", "")


@pytest.mark.privacy
def test_a_scripts_page_is_masked_as_any_other(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MASKED_PATHS": [r"^/products/([^/]+)/"]}
    address = "http://testserver/products/42/?email=ada@example.com&utm_source=tt#top"
    assert page_of(**{**HTMX, "HX-Current-URL": address})[0] == "http://testserver/products/-/?utm_source=tt"


@pytest.mark.hostile
def test_a_forged_host_names_no_page() -> None:
    request = RequestFactory().post(
        "/", HTTP_HOST="evil.example", headers={**FETCH, "Referer": "https://evil.example/"}
    )
    assert Visitor(request).page.url == ""
