"""What a page's content holds makes tiktok.js do nothing: no call, no report, no pixel switched off, no gate opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.core.cache import cache

from tests.browser.arrivals import arrived, seen
from tests.browser.contents import DOCUMENT, GADGETS, WINDOW
from tests.browser.test_page_script_in_chromium import BUTTON, until
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.hostile]

CLEAN = "<script src=/scripts/dompurify.js></script><div id=review></div>"
EVERYTHING = """() => {
  for (const one of document.querySelectorAll("#review *")) {
    one.addEventListener("submit", (event) => event.preventDefault());
    one instanceof HTMLElement && one.click();
  }
  window.ttqTrack("Search");
}"""
Open = Callable[..., None]


@pytest.fixture
def configure(live_server: Any, settings: Any, standin: StandIn) -> Callable[..., None]:
    cache.clear()

    def configure(**options: Any) -> None:
        settings.TIKTOK_ATTRIBUTION = {
            "PIXEL_CODE": "C0SHOP",
            "ACCESS_TOKEN": "token",
            "PIXEL_HOST": standin.pixel_host,
            "API_URL": standin.api_url,
            "SITE_URL": live_server.url,
            "PAGE_SCRIPT": True,
            **options,
        }

    configure()
    return configure


@pytest.fixture
def hosts(page: Page, live_server: Any, standin: StandIn) -> Iterator[set[str]]:
    """Where the page sent anything; at the end nowhere but to the site and to TikTok."""
    found: set[str] = set()
    page.on("request", lambda request: found.add(urlsplit(request.url).netloc))
    yield found
    assert found - {""} <= {urlsplit(live_server.url).netloc, urlsplit(standin.url).netloc}


@pytest.fixture
def show(live_server: Any, page: Page, hosts: set[str]) -> Open:
    def show(body: str, path: str = "template/") -> None:
        page.goto(f"{live_server.url}/{path}?{urlencode({'body': body})}", wait_until="load")

    return show


def purified(page: Page, text: str) -> str:
    """Put in what DOMPurify's defaults leave of a text, and touch all of it."""
    page.evaluate("(text) => { document.getElementById('review').innerHTML = DOMPurify.sanitize(text); }", text)
    page.evaluate(EVERYTHING)
    return page.inner_html("#review")


@pytest.mark.parametrize("kind", [*GADGETS, *WINDOW])
@pytest.mark.usefixtures("configure")
def test_what_a_sanitiser_leaves_makes_no_call_and_no_report(
    kind: str, show: Open, page: Page, standin: StandIn
) -> None:
    show(CLEAN + BUTTON)
    left = purified(page, {**GADGETS, **WINDOW}[kind])
    assert " tiktok-" not in left
    page.click("text=Add")
    # ttqTrack is the site's own code. That it makes its call, and the button too, shows that the pixel is still on.
    assert seen(standin, 3) == [("C0SHOP", "AddToCart"), ("C0SHOP", "Pageview"), ("C0SHOP", "Search")]
    until(page, OutboxEvent.objects.count)
    assert list(OutboxEvent.objects.values_list("name", flat=True)) == ["AddToCart"]


@pytest.mark.usefixtures("configure")
def test_also_where_the_site_has_switched_unsigned_events_on(
    configure: Callable[..., None], show: Open, page: Page, standin: StandIn
) -> None:
    configure(UNSIGNED_ACTIONS=True)
    show(CLEAN + '<a href="#" tiktok-event="Contact">Write to us</a>')
    purified(page, "".join(GADGETS.values()))
    page.click("text=Write to us")
    assert [name for _, name in seen(standin, 3)] == ["Contact", "Pageview", "Search"]
    assert OutboxEvent.objects.count() == 0


@pytest.mark.parametrize("path", ["template/", "tag-last/"])
@pytest.mark.parametrize("kind", [*WINDOW, *DOCUMENT])
def test_elements_that_hide_members_neither_open_the_gate_nor_switch_the_pixel_off(
    kind: str, path: str, configure: Callable[..., None], *, show: Open, page: Page, standin: StandIn
) -> None:
    """They are there before our script runs, in front of it or behind."""
    configure(CONSENT={"cookie": "choice", "granted": "yes", "denied": "no"})
    body = {**WINDOW, **DOCUMENT}[kind] + BUTTON
    show(body, path)
    page.click("text=Add")
    assert standin.notes.script_loads() == {}
    assert OutboxEvent.objects.count() == 0
    page.context.add_cookies([{"name": "choice", "value": "yes", "url": page.url}])
    show(body, path)
    page.click("text=Add")
    until(page, OutboxEvent.objects.count)
    assert standin.notes.script_loads() == {"C0SHOP": 1}
    if kind in WINDOW:  # TikTok's own script looks at document's members itself
        assert seen(standin, 2) == [("C0SHOP", "AddToCart"), ("C0SHOP", "Pageview")]


@pytest.mark.parametrize("kind", [*WINDOW, *DOCUMENT])
def test_inline_code_is_as_deaf_to_them(
    kind: str, configure: Callable[..., None], show: Open, page: Page, standin: StandIn
) -> None:
    configure(PAGE_SCRIPT=False, CONSENT={"cookie": "choice", "granted": "yes", "denied": "no"})
    body = {**WINDOW, **DOCUMENT}[kind]
    show(body, "tag-last/")
    assert standin.notes.script_loads() == {}
    page.context.add_cookies([{"name": "choice", "value": "yes", "url": page.url}])
    show(body, "tag-last/")
    assert standin.notes.script_loads() == {"C0SHOP": 1}
    if kind in WINDOW:
        assert seen(standin, 1) == [("C0SHOP", "Pageview")]


@pytest.mark.usefixtures("configure")
def test_a_copied_signature_fires_what_it_was_signed_for(show: Open, page: Page, standin: StandIn) -> None:
    """On a site that cleans nothing: a text that the site has signed, beside words of somebody's own."""
    show(BUTTON + '<p id="copy">Click here</p>')
    page.evaluate(
        """() => {
          const signed = document.querySelector("button").getAttribute("tiktok-action");
          document.getElementById("copy").innerHTML =
            `<a href="#" tiktok-event="Purchase" tiktok-properties='{"value":999}' tiktok-action="${signed}">win</a>`;
        }"""
    )
    page.click("text=win")
    assert [(one.event, one.value) for one in arrived(standin, 2) if one.event != "Pageview"] == [("AddToCart", 5)]


@pytest.mark.privacy
def test_on_a_private_page_that_a_script_shows_all_is_silent(
    configure: Callable[..., None], show: Open, page: Page, standin: StandIn
) -> None:
    configure(PRIVATE_PATHS=["/clinic/"], HISTORY_OBSERVER=False)
    show(BUTTON + '<button {% tiktok_action "Subscribe" %}>Subscribe</button>')
    arrived(standin, 1)
    page.evaluate("history.pushState({}, '', '/clinic/visit/')")
    page.click("text=Add")
    page.evaluate("ttqTrack('Contact')")
    page.evaluate("history.pushState({}, '', '/next/')")
    page.click("text=Subscribe")
    assert [name for _, name in seen(standin, 2)] == ["Pageview", "Subscribe"]
    assert until(page, OutboxEvent.objects.count) == 1
