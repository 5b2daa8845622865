"""Turbo in a real browser: it swaps pages, and each visit is one page view and each event one event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.arrivals import seen
from tests.browser.test_page_script_in_chromium import until
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def turbo(live_server: Any, settings: Any, standin: StandIn, page: Page, console_errors: list[str]) -> Any:
    """The page before anything was clicked; at the end it must be the same document, and the console silent."""
    settings.TIKTOK_ATTRIBUTION = {
        "PIXEL_CODE": "C0SHOP",
        "ACCESS_TOKEN": "token",
        "PIXEL_HOST": standin.pixel_host,
        "SITE_URL": live_server.url,
        "PAGE_SCRIPT": True,
        "HISTORY_OBSERVER": "turbo",
        "PRIVATE_PATHS": ["/turbo/private/"],
    }
    page.goto(f"{live_server.url}/turbo/")
    page.evaluate("window.stays = true")
    yield page
    assert page.evaluate("window.stays") is True
    assert console_errors == []
    assert standin.notes.script_loads() == {"C0SHOP": 1}


def views(standin: StandIn, number: int) -> int:
    return [name for _, name in seen(standin, number)].count("Pageview")


def go(page: Page, words: str, number: int) -> None:
    page.click(f"text={words}")
    page.wait_for_selector(f"text=Page {number}")


def test_each_visit_is_one_page_view_also_back_and_again(turbo: Page, standin: StandIn) -> None:
    assert views(standin, 1) == 1
    go(turbo, "Two", 2)
    assert views(standin, 2) == 2
    go(turbo, "Three", 3)
    turbo.go_back()
    turbo.wait_for_selector("text=Page 2")
    assert views(standin, 4) == 4
    go(turbo, "Three", 3)  # first shown out of Turbo's own cache, then as it came
    assert views(standin, 5) == 5


def test_a_link_that_is_redirected_is_one_page_view(turbo: Page, standin: StandIn) -> None:
    go(turbo, "Moved", 4)
    assert views(standin, 2) == 2


def test_an_event_of_a_form_fires_once_and_not_when_its_page_comes_back(turbo: Page, standin: StandIn) -> None:
    go(turbo, "Ask", 5)
    assert seen(standin, 3) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview"), ("C0SHOP", "Pageview")]
    go(turbo, "Two", 2)
    turbo.go_back()
    turbo.wait_for_selector("text=Page 5")
    assert [name for _, name in seen(standin, 5)].count("Lead") == 1


@pytest.mark.privacy
def test_a_visit_of_a_private_page_is_no_page_view(turbo: Page, standin: StandIn) -> None:
    go(turbo, "Private", 7)
    assert views(standin, 1) == 1
    go(turbo, "Two", 2)
    assert views(standin, 2) == 2


def test_a_form_that_turbo_sends_is_counted_once(turbo: Page, standin: StandIn) -> None:
    turbo.click("text=Search")
    turbo.wait_for_selector("text=Page 6")
    assert [name for _, name in seen(standin, 3)].count("Search") == 1
    until(turbo, lambda: OutboxEvent.objects.filter(name="Search"))


def test_links_that_are_hovered_over_count_when_they_are_visited(turbo: Page, standin: StandIn) -> None:
    """Turbo fetches a page when the pointer rests on its link, and shows that answer when it is clicked."""
    for _ in range(3):
        with turbo.expect_response(lambda answer: "/turbo/view/" in answer.url) as answer:
            turbo.hover("text=View")
        assert answer.value.request.headers["x-sec-purpose"] == "prefetch"
        turbo.hover("text=Page 1")
        turbo.wait_for_timeout(50)
    assert OutboxEvent.objects.count() == 0
    asked: list[str] = []
    turbo.on("request", lambda request: asked.append(request.url))
    with turbo.expect_response(lambda answer: "/turbo/view/" in answer.url):
        turbo.hover("text=View")
    before = len(asked)
    turbo.click("text=View")
    turbo.wait_for_selector("text=Page view")
    assert [name for _, name in seen(standin, 3)] == ["Pageview", "Pageview", "ViewContent"]
    until(turbo, lambda: OutboxEvent.objects.filter(name="ViewContent", browser_at__isnull=False))
    assert not any("/turbo/view/" in url for url in asked[before:])
    assert OutboxEvent.objects.count() == 1
