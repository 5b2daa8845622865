"""In a real browser: pages out of a shared cache report their landings, and a refusal reaches the server by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.consent.conftest import ASKED
from tests.touches.conftest import CLICK, REFERRER, UTM, Configure
from tiktok_attribution.browser.inline_code import landing_call
from tiktok_attribution.models import Touch
from tiktok_attribution.testing.server import StandIn
from tiktok_attribution.visitor.visitor_key import COOKIE, MARKER

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.privacy, pytest.mark.django_db(transaction=True)]

CONSENT = "tiktok_consent"


def test_the_code_of_an_inline_page_is_small() -> None:
    assert len(landing_call("/a/longer/address/of/tiktok/")) <= 400


@pytest.fixture(autouse=True, params=[False, True], ids=["inline", "page script"])
def _two_forms(request: Any, configure: Configure, tiktok_standin: StandIn) -> None:
    configure(PAGE_SCRIPT=request.param, SITE_URL="")


@pytest.fixture
def reports(page: Page) -> list[str]:
    """The addresses that the page has posted to."""
    found: list[str] = []
    page.on("request", lambda one: found.append(one.url.partition("?")[0]) if one.method == "POST" else None)
    return found


@pytest.fixture
def cached(page: Page, live_server: Any) -> Iterator[Callable[[str], None]]:
    """`cached(query)`: open a page that a shared cache has kept, without asking the site."""

    def cached(query: str) -> None:
        text = Client().get("/page/", HTTP_HOST=live_server.url.partition("//")[2]).content.decode()
        page.route("**/page/*", lambda route: route.fulfill(body=text, content_type="text/html"))
        page.goto(f"{live_server.url}/page/?{query}", referer=REFERRER, wait_until="load")

    yield cached
    page.unroute("**/page/*")


def until(page: Page, is_so: Callable[[], bool]) -> bool:
    for _ in range(50):
        if is_so():
            return True
        page.wait_for_timeout(100)
    return False


def cookies(page: Page) -> set[str]:
    return {one["name"] for one in page.context.cookies()}


def answer_without_hook(page: Page, live_server: Any, word: str) -> None:
    """As a consent tool does it: by its cookie alone."""
    page.context.add_cookies([{"name": CONSENT, "value": word, "url": live_server.url}])


@pytest.mark.parametrize("query", [CLICK, UTM])
def test_a_cached_page_reports_its_landing_once(
    query: str, cached: Callable[[str], None], page: Page, reports: list[str]
) -> None:
    cached(query)
    assert until(page, Touch.objects.exists)
    assert until(page, lambda: {COOKIE, MARKER} <= cookies(page))
    page.wait_for_timeout(300)
    assert len(reports) == 1
    cached(query)
    page.wait_for_timeout(500)
    assert Touch.objects.count() == 1


def test_a_page_without_such_an_address_reports_nothing(
    cached: Callable[[str], None], page: Page, reports: list[str]
) -> None:
    cached("color=red")
    page.wait_for_timeout(500)
    assert reports == []
    assert not cookies(page) & {COOKIE, MARKER}


def test_it_waits_for_the_answer(
    cached: Callable[[str], None], page: Page, reports: list[str], configure: Configure
) -> None:
    configure(CONSENT=ASKED)
    cached(f"{CLICK}&{UTM}")
    page.wait_for_timeout(500)
    assert (reports, Touch.objects.count()) == ([], 0)
    page.evaluate("tiktokAttribution.consent(true)")
    assert until(page, Touch.objects.exists)
    page.wait_for_timeout(500)
    assert Touch.objects.count() == 1
    assert Touch.objects.get().campaign_name == "Spring"


def test_a_refusal_reports_nothing(
    cached: Callable[[str], None], page: Page, live_server: Any, reports: list[str], configure: Configure
) -> None:
    configure(CONSENT=ASKED)
    answer_without_hook(page, live_server, "denied")
    cached(CLICK)
    page.wait_for_timeout(500)
    assert (reports, Touch.objects.count()) == ([], 0)


def test_a_refusal_without_the_hook_is_told_to_the_server_once(
    page: Page, live_server: Any, reports: list[str], configure: Configure, console_errors: list[str]
) -> None:
    configure(CONSENT=ASKED)
    answer_without_hook(page, live_server, "granted")
    page.goto(f"{live_server.url}/page/?{CLICK}", referer=REFERRER, wait_until="load")
    assert until(page, lambda: {COOKIE, MARKER} <= cookies(page))
    page.wait_for_timeout(300)
    answer_without_hook(page, live_server, "denied")
    reports.clear()
    page.goto(f"{live_server.url}/page/", wait_until="load")
    assert until(page, lambda: not cookies(page) & {COOKIE, MARKER})
    assert not Touch.objects.exists()
    page.goto(f"{live_server.url}/page/", wait_until="load")
    page.wait_for_timeout(300)
    assert len(reports) == 1
    assert console_errors == []


def test_an_opt_out_of_the_browser_is_told_where_nobody_is_asked(
    page: Page, live_server: Any, reports: list[str]
) -> None:
    page.goto(f"{live_server.url}/page/?{CLICK}", referer=REFERRER, wait_until="load")
    assert until(page, lambda: {COOKIE, MARKER} <= cookies(page))
    page.context.set_extra_http_headers({"Sec-GPC": "1"})
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    reports.clear()
    page.goto(f"{live_server.url}/page/", wait_until="load")
    assert until(page, lambda: not cookies(page) & {COOKIE, MARKER})
    assert not Touch.objects.exists()
    assert len(reports) == 1
