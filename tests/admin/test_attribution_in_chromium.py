"""The attribution page and the link builder used in a real browser, under a policy that allows nothing inline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpRequest, HttpResponseBase

from tests.admin.attribution_samples import fill_attribution

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = "/admin/tiktok_attribution/attributionreport/"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def strict(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """A middleware that sends a policy without anything inline."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return answer


@pytest.fixture
def seat(page: Page, signed_in: Callable[[Page], Page], settings: Any) -> Page:
    settings.MIDDLEWARE = [f"{__name__}.strict", *settings.MIDDLEWARE]
    return signed_in(page)


def policy_errors(errors: list[str]) -> list[str]:
    """All errors but that of the icon, which a live server of the tests has not."""
    return [error for error in errors if "404" not in error]


def test_a_tagged_address_is_copied(seat: Page, live_server: Any, console_errors: list[str]) -> None:
    seat.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    seat.goto(f"{live_server.url}{PAGE}link/")
    seat.fill("#tiktok-address", "https://shop.example/new/?colour=red")
    seat.click("text=Tag it")
    seat.click("button[data-copies]")
    seat.wait_for_selector("text=Copied")

    copied = seat.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("https://shop.example/new/?colour=red&utm_source=tiktok&")
    assert copied.endswith("&tt_placement=__PLACEMENT__")
    assert policy_errors(console_errors) == []


def test_the_morning_of_a_marketer(seat: Page, live_server: Any, console_errors: list[str]) -> None:
    fill_attribution()
    seat.goto(live_server.url + PAGE)
    seat.click("text=Last 28 days")
    seat.select_option("#tiktok-clock", "click")
    seat.select_option("#tiktok-window", "28")
    seat.click(".tiktok-filters [type=submit]")
    assert "period=28" in seat.url
    seat.click(".tiktok-report thead >> text=Conversions")
    assert seat.get_attribute(".tiktok-report th[aria-sort]", "aria-sort") == "descending"
    seat.click(".tiktok-report tbody a >> nth=0")
    assert "Women 25–34" in seat.inner_text(".tiktok-report tbody")
    assert {"period=28", "clock=click", "window=28", "by=adgroup", "sort=-conversions"} <= set(
        seat.url.partition("?")[2].split("&")
    )
    seat.click(".tiktok-report tbody a >> nth=0")
    assert "Video A" in seat.inner_text(".tiktok-report tbody")
    seat.click("text=All campaigns")
    assert "Summer sale" in seat.inner_text(".tiktok-report tbody")
    box = seat.locator(".tiktok-chart").bounding_box()
    assert box is not None
    assert box["height"] > 100
    assert policy_errors(console_errors) == []
