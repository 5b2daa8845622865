"""tiktok.js in a real browser: actions with both channels, receipts, cached pages, htmx, fetch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache

from tests.browser.arrivals import arrived, seen
from tests.shop.models import Order
from tiktok_attribution.delivery.pixel_sender import deliver_all
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

BUTTON = '<button {% tiktok_action "AddToCart" value="5.00" currency="EUR" %}>Add <b>now</b></button>'
Open = Callable[..., None]


@pytest.fixture
def site(live_server: Any, settings: Any, standin: StandIn) -> str:
    """A live site with PAGE_SCRIPT that talks to the stand-in; returns its address."""
    cache.clear()
    settings.TIKTOK_ATTRIBUTION = {
        "PIXEL_CODE": "C0SHOP",
        "ACCESS_TOKEN": "token",
        "PIXEL_HOST": standin.pixel_host,
        "API_URL": standin.api_url,
        "SITE_URL": live_server.url,
        "PAGE_SCRIPT": True,
        "CONVERSIONS": {
            "shop.Order": {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}
        },
    }
    return str(live_server.url)


@pytest.fixture
def show(site: str, page: Page) -> Open:
    """`show(body)` opens a page with this body."""

    def show(body: str, path: str = "template/") -> None:
        page.goto(f"{site}/{path}?{urlencode({'body': body})}", wait_until="load")

    return show


def of(standin: StandIn, number: int, event: str) -> list[tuple[str, Any]]:
    """(event_id, value) of what arrived from the browser under this name, when so many events have arrived."""
    return [(one.event_id, one.value) for one in arrived(standin, number) if one.event == event]


def until(page: Page, condition: Callable[[], Any]) -> Any:
    """Wait for what the server does with a beacon."""
    for _ in range(100):
        if found := condition():
            return found
        page.wait_for_timeout(30)
    raise AssertionError("it did not happen")


def recorded(page: Page) -> OutboxEvent:
    return until(page, OutboxEvent.objects.first)


def test_a_click_has_both_channels_and_is_counted_once(
    show: Open, standin: StandIn, page: Page, console_errors: list[str]
) -> None:
    show(BUTTON)
    arrived(standin, 1)
    page.click("b")
    ((event_id, value),) = of(standin, 2, "AddToCart")
    event = recorded(page)
    assert (event.event_id, event.name, float(event.value or 0), value) == (event_id, "AddToCart", 5.0, 5)
    assert event.browser_confirmed_at is not None
    deliver_all()
    count = standin.ledger.counts()["AddToCart"]
    assert (count.browser, count.server, count.counted) == (1, 1, 1)
    assert console_errors == []


def test_a_double_click_is_one_event(show: Open, standin: StandIn, page: Page) -> None:
    show(BUTTON)
    page.dblclick("button")
    assert seen(standin, 2) == [("C0SHOP", "AddToCart"), ("C0SHOP", "Pageview")]


def test_a_link_that_leaves_the_page_loses_nothing(site: str, show: Open, standin: StandIn, page: Page) -> None:
    show('<a href="/page/" {% tiktok_action "Contact" %}>Write to us</a>')
    arrived(standin, 1)
    page.click("a")
    page.wait_for_url(f"{site}/page/")
    assert seen(standin, 3) == [("C0SHOP", "Contact"), ("C0SHOP", "Pageview"), ("C0SHOP", "Pageview")]
    assert recorded(page).name == "Contact"


def test_a_form_fills_in_what_it_may(show: Open, standin: StandIn, page: Page) -> None:
    show(
        '<form action="/page/" {% tiktok_action "Search" allow="search_string" %}>'
        '<input name="q" tiktok-property="search_string"><input name="x" tiktok-property="value" value="9">'
        "<button>Search</button></form>"
    )
    page.fill("[name=q]", "jasmine tea")
    page.click("button")
    event = recorded(page)
    assert '"search_string":"jasmine tea"' in event.payload
    assert event.value is None
    found = [one.properties for one in arrived(standin, 3) if one.event == "Search"]
    assert found == [{"search_string": "jasmine tea"}]


def test_a_call_uses_what_the_page_has_signed(show: Open, standin: StandIn, page: Page) -> None:
    show('<meta {% tiktok_action "Search" allow="search_string" %}>')
    page.evaluate("ttqTrack('Search', {search_string: 'matcha', value: 9})")
    page.evaluate("ttqTrack('Contact')")
    assert '"search_string":"matcha"' in recorded(page).payload
    assert [name for _, name in seen(standin, 3)] == ["Contact", "Pageview", "Search"]
    assert OutboxEvent.objects.count() == 1  # nobody has signed Contact, so it is the pixel's alone


def test_a_page_confirms_what_it_was_given(site: str, standin: StandIn, page: Page, console_errors: list[str]) -> None:
    page.goto(f"{site}/lead/")
    assert seen(standin, 2) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview")]
    until(page, lambda: OutboxEvent.objects.filter(browser_confirmed_at__isnull=False))
    assert console_errors == []


def test_an_ad_blocker_leaves_the_site_and_the_server_event_whole(
    site: str, show: Open, standin: StandIn, page: Page
) -> None:
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.route("**/events.js*", lambda route: route.abort())
    page.goto(f"{site}/lead/")
    show(BUTTON)
    page.click("button")
    until(page, lambda: OutboxEvent.objects.filter(name="AddToCart"))
    assert arrived(standin, 0) == []
    assert OutboxEvent.objects.filter(state="waiting").count() == 2
    assert OutboxEvent.objects.filter(browser_confirmed_at__isnull=False).count() == 0
    assert thrown == []


def test_two_visitors_of_a_cached_page_have_ids_of_their_own(
    show: Open, site: str, standin: StandIn, page: Page, chromium: Browser
) -> None:
    show(BUTTON, "cached-template/")
    page.click("button")
    other = chromium.new_context()
    second = other.new_page()
    second.goto(page.url)
    assert second.content() == page.content()
    second.click("button")
    ids = {event_id for event_id, _ in of(standin, 4, "AddToCart")}
    assert len(ids) == 2
    until(page, lambda: set(OutboxEvent.objects.values_list("event_id", flat=True)) == ids)
    other.close()


def test_a_page_out_of_a_shared_cache_fetches_what_waits(
    show: Open, site: str, standin: StandIn, page: Page, console_errors: list[str]
) -> None:
    show("cached", "cached-template/")
    address = page.url
    arrived(standin, 1)
    page.request.get(f"{site}/lead/", max_redirects=0)
    page.goto(address)
    assert of(standin, 3, "Lead") == [("lead-1", 5)]
    page.goto(address)
    assert of(standin, 4, "Lead") == [("lead-1", 5)]
    until(page, lambda: OutboxEvent.objects.filter(browser_confirmed_at__isnull=False))
    assert console_errors == []


def test_the_click_id_of_a_cached_landing_is_kept(show: Open, page: Page) -> None:
    show("cached", "cached-template/")
    page.goto(page.url + "&ttclid=E.C.P.landing")
    found = until(page, lambda: [one for one in page.context.cookies() if one["name"] == "ttclid"])
    assert found[0]["value"] == "E.C.P.landing"


def test_where_cookies_are_refused_a_click_still_has_both_channels(show: Open, standin: StandIn, page: Page) -> None:
    page.add_init_script("Object.defineProperty(Document.prototype, 'cookie', {get: () => '', set: () => {}})")
    show(BUTTON)
    page.context.clear_cookies()
    page.click("button")
    ((event_id, _),) = of(standin, 2, "AddToCart")
    assert recorded(page).event_id == event_id
    assert page.context.cookies() == []


FORM = '<form id="search" action="/page/" {% tiktok_action "Search" %}><input name="q"><button>Find</button></form>'
PREVENTS = (
    '<button id="prevent" onclick="search.addEventListener(\'submit\', (event) => { event.preventDefault();'
    ' event.stopPropagation() })">Prevent</button>'
)


def test_a_form_that_leaves_the_page_is_counted(show: Open, page: Page, standin: StandIn) -> None:
    show(FORM)
    page.click("text=Find")
    page.wait_for_url("**/page/**")
    assert until(page, OutboxEvent.objects.first).name == "Search"
    assert [name for _, name in seen(standin, 3)].count("Search") == 1


def test_a_form_whose_own_script_prevents_the_submit_is_not(show: Open, page: Page, standin: StandIn) -> None:
    show(FORM + PREVENTS + BUTTON)
    page.click("#prevent")
    for _ in range(3):
        page.click("text=Find")
    page.click("text=Add")  # later than any report of the form
    until(page, OutboxEvent.objects.first)
    assert seen(standin, 2) == [("C0SHOP", "AddToCart"), ("C0SHOP", "Pageview")]
    assert [row.name for row in OutboxEvent.objects.all()] == ["AddToCart"]


@pytest.mark.parametrize("version", [2, 4])
class TestHtmx:
    """Both versions that are in use; they name their own events differently."""

    @pytest.mark.parametrize(
        "kind", ["hx-get='/lead-fragment/' hx-target='#target'", "hx-boost='true' action='/page/'"]
    )
    def test_a_form_that_it_sends_is_counted(  # noqa: PLR0917 -- fixtures
        self, kind: str, version: int, show: Open, standin: StandIn, page: Page, console_errors: list[str]
    ) -> None:
        show(
            f'<script src="/scripts/htmx-{version}.min.js"></script><p id="target"></p>'
            f'<form {kind} {{% tiktok_action "Search" %}}><button>Find</button></form>'
        )
        page.click("text=Find")
        until(page, lambda: OutboxEvent.objects.filter(name="Search"))
        assert [name for _, name in seen(standin, 2)].count("Search") == 1
        assert OutboxEvent.objects.filter(name="Search").count() == 1
        assert console_errors == []

    def test_a_swap_brings_its_event_in_the_trigger(
        self, version: int, show: Open, standin: StandIn, page: Page, console_errors: list[str]
    ) -> None:
        show(
            f'<script src="/scripts/htmx-{version}.min.js"></script>'
            '<button hx-get="/lead-fragment/" hx-target="#target" hx-swap="outerHTML">Go</button><p id="target"></p>'
        )
        page.click("button")
        page.wait_for_selector("text=Thank you")
        assert of(standin, 2, "Lead") == [("lead-1", 5)]
        page.goto(page.url)
        assert of(standin, 3, "Lead") == [("lead-1", 5)]
        assert console_errors == []

    def test_content_that_is_swapped_in_may_hold_an_event(
        self, version: int, show: Open, standin: StandIn, page: Page, console_errors: list[str]
    ) -> None:
        show(
            f'<script src="/scripts/htmx-{version}.min.js"></script>'
            '<button hx-get="/order-fragment/" hx-target="#target" hx-swap="outerHTML">Go</button><p id="target"></p>'
        )
        page.click("button")
        page.wait_for_selector("text=Thank you")
        order = Order.objects.get()
        assert of(standin, 2, "Purchase") == [(f"order-{order.pk}", 19.9)]
        until(page, lambda: OutboxEvent.objects.filter(browser_confirmed_at__isnull=False))
        assert console_errors == []

    def test_a_boosted_link_has_one_page_view_and_its_event(
        self, version: int, show: Open, standin: StandIn, page: Page, console_errors: list[str]
    ) -> None:
        show(
            f'<script src="/scripts/htmx-{version}.min.js"></script>'
            '<div hx-boost="true" hx-boost:inherited="true"><a href="/lead/">Go</a></div>'
        )
        arrived(standin, 1)
        page.click("a")
        page.wait_for_url("**/page/")
        assert seen(standin, 3) == [("C0SHOP", "Lead"), ("C0SHOP", "Pageview"), ("C0SHOP", "Pageview")]
        assert console_errors == []

    def test_a_page_that_it_restores_leaves_its_event_for_the_next(
        self, version: int, show: Open, standin: StandIn, page: Page, console_errors: list[str]
    ) -> None:
        show(
            f'<script src="/scripts/htmx-{version}.min.js"></script>'
            '<meta name="htmx-config" content=\'{"historyCacheSize": 0}\'>'
            '<div hx-boost="true" hx-boost:inherited="true"><a href="/page/">Go</a></div>'
        )
        page.click("a")
        page.wait_for_url("**/page/")
        following = page.url
        page.request.get(following.replace("/page/", "/lead/"), max_redirects=0)
        with page.expect_response(lambda response: "hx-history-restore-request" in response.request.headers):
            page.go_back()
        page.wait_for_timeout(200)
        page.goto(following)
        assert of(standin, 5, "Lead") == [("lead-1", 5)]
        assert console_errors == []


def test_a_fetch_hands_over_in_a_header(show: Open, standin: StandIn, page: Page) -> None:
    show("")
    ask = "fetch('/lead-json/', {headers: {'X-TikTok-Events': '1'}})"
    assert page.evaluate(f"{ask}.then(tiktokAttribution.received).then((answer) => answer.json())") == {"ok": True}
    assert of(standin, 2, "Lead") == [("lead-1", 5)]


def test_an_api_hands_over_in_a_field(show: Open, standin: StandIn, page: Page) -> None:
    show("")
    page.evaluate(
        "fetch('/lead-json/').then(() => fetch('/waiting/')).then((a) => a.json())"
        ".then((a) => tiktokAttribution.fire(a.tiktok))"
    )
    assert of(standin, 2, "Lead") == [("lead-1", 5)]


def test_a_navigation_of_the_pages_own_is_one_page_view(show: Open, standin: StandIn, page: Page) -> None:
    show("")
    arrived(standin, 1)
    page.evaluate("history.pushState({}, '', '/next/')")
    assert seen(standin, 2) == [("C0SHOP", "Pageview")] * 2


def test_a_page_that_the_browser_keeps_whole_repeats_nothing(site: str, standin: StandIn, page: Page) -> None:
    page.goto(f"{site}/lead/")
    arrived(standin, 2)
    page.goto(f"{site}/page/")
    page.go_back()
    assert len(of(standin, 3, "Lead")) == 1
