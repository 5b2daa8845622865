"""Pages that a browser fetched ahead, prerendered, or took out of its cache again: each visit counts once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from tests.browser.arrivals import arrived, seen
from tests.browser.test_page_script_in_chromium import until
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.browser


@pytest.fixture(params=[False, True], ids=["inline", "page script"])
def site(request: Any, live_server: Any, settings: Any, standin: StandIn) -> str:
    cache.clear()
    settings.TIKTOK_ATTRIBUTION = {
        "PIXEL_CODE": "C0SHOP",
        "ACCESS_TOKEN": "token",
        "PIXEL_HOST": standin.pixel_host,
        "API_URL": standin.api_url,
        "SITE_URL": live_server.url,
        "PAGE_SCRIPT": request.param,
    }
    return str(live_server.url)


def fetch_ahead(page: Page, url: str, purpose: str) -> None:
    """Ask for this page as a browser does that may show it later. Chromium lets nobody set Sec-Purpose itself.

    Only this address goes through Playwright's hands: a request that does waits for this thread, and while the thread
    waits for what arrives at the stand-in, nothing would.
    """

    def ask(route: Route) -> None:
        route.continue_(headers={**route.request.headers, "x-sec-purpose": purpose})

    page.route(re.compile(f"^{re.escape(url)}$"), ask)


PRERENDERS = """
  let prerendering = true;
  Object.defineProperty(Document.prototype, "prerendering", { get: () => prerendering });
  window.activate = () => { prerendering = false; document.dispatchEvent(new Event("prerenderingchange")); };
"""


@pytest.mark.parametrize("path", ["/lead-page/", "/event/?name=Lead&server=1&event_id=lead-1"])
def test_a_prefetched_page_that_is_opened_counts_on_both_channels(
    path: str, site: str, page: Page, standin: StandIn, console_errors: list[str]
) -> None:
    fetch_ahead(page, site + path, "prefetch")
    with page.expect_response(lambda response: path in response.url) as answer:
        page.goto(site + path)
    assert "sendBeacon" in answer.value.text() or '"unseen":' in answer.value.text()
    assert "private" in answer.value.headers["cache-control"]
    assert seen(standin, 2) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview")]
    row = until(page, OutboxEvent.objects.first)
    until(page, lambda: OutboxEvent.objects.filter(browser_at__isnull=False))
    assert (row.name, row.event_id) == ("Lead", "lead-1")
    page.unroute_all()
    page.goto(site + "/page/")
    page.go_back()  # out of the browser's cache
    assert sorted(name for _, name in seen(standin, 4)) == ["Lead", "Pageview", "Pageview", "Pageview"]
    assert OutboxEvent.objects.count() == 1
    assert console_errors == []


def test_a_prerendered_page_counts_when_it_is_opened_and_not_before(
    site: str, page: Page, standin: StandIn, console_errors: list[str]
) -> None:
    page.add_init_script(PRERENDERS)
    landing = f"{site}/lead-page/?ttclid=E.C.P.click"
    fetch_ahead(page, landing, "prefetch;prerender")
    page.goto(landing, wait_until="load")
    page.evaluate("document.body.click()")
    assert (arrived(standin, 0), standin.notes.script_loads()) == ([], {})
    assert OutboxEvent.objects.count() == 0
    page.unroute_all()
    page.evaluate("activate()")
    assert seen(standin, 2) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview")]
    until(page, OutboxEvent.objects.first)
    assert console_errors == []


def test_an_event_does_not_fire_again_out_of_the_browsers_cache(site: str, page: Page, standin: StandIn) -> None:
    page.goto(site + "/lead/")
    assert seen(standin, 2) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview")]
    page.evaluate("window.left = true")
    page.goto(site + "/event/")
    page.go_back()
    assert page.evaluate("window.left") is None  # it ran again
    assert [name for _, name in seen(standin, 5)] == ["Contact", "Lead", "Pageview", "Pageview", "Pageview"]
    page.go_forward()
    assert [name for _, name in seen(standin, 7)].count("Contact") == 2  # without an id there is nothing to tell it by


def test_where_the_browser_keeps_nothing_an_event_is_fired_all_the_same(
    site: str, page: Page, standin: StandIn, console_errors: list[str]
) -> None:
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused') }})")
    page.goto(site + "/lead/")
    assert seen(standin, 2) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview")]
    assert console_errors == []


SPECULATES = """() => {
  const rules = document.createElement("script");
  rules.type = "speculationrules";
  rules.textContent = JSON.stringify({prefetch: [{urls: ["/lead-page/"], eagerness: "immediate"}]});
  document.head.append(rules);
}"""


def test_a_page_that_the_browser_itself_fetched_ahead_counts_when_it_is_opened(
    site: str, page: Page, standin: StandIn, console_errors: list[str]
) -> None:
    page.goto(site + "/page/")
    with page.expect_response("**/lead-page/") as answer:
        page.evaluate(SPECULATES)
    assert answer.value.request.all_headers()["sec-purpose"].startswith("prefetch")
    assert seen(standin, 1) == [("C0SHOP", "Pageview")]
    assert OutboxEvent.objects.count() == 0
    page.evaluate("location.href = '/lead-page/'")
    page.wait_for_url("**/lead-page/")
    assert [name for _, name in seen(standin, 3)] == ["Lead", "Pageview", "Pageview"]
    until(page, lambda: OutboxEvent.objects.filter(event_id="lead-1", browser_at__isnull=False))
    assert console_errors == []
