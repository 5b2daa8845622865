"""Whole visits of the example shop in a real browser: what reaches TikTok, and what does not reach it twice.

Every page is under a strict Content-Security-Policy, so each visit also says that nobody had anything to report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import CHROMIUM_ARGUMENTS, chromium_program
from tests.example.shopper import Shopper

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = [pytest.mark.browser, pytest.mark.on_engine("sqlite")]

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
WHOLE_WAY = "ViewContent Search AddToWishlist AddToCart InitiateCheckout Purchase"


@pytest.fixture
def thumb(stage: Any, chromium: Browser) -> Iterator[Shopper]:
    """A shopper with a telephone."""
    context = chromium.new_context(**PHONE)
    yield Shopper(stage, context)
    context.close()


@pytest.fixture
def cookieless(chromium: Browser, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser whose owner has set it to take no cookies; it refuses storage as well."""
    (tmp_path / "Default").mkdir()
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(settings))
    context = chromium.browser_type.launch_persistent_context(
        tmp_path, executable_path=chromium_program(), args=[*CHROMIUM_ARGUMENTS, "--headless=new"]
    )
    yield context
    context.close()


def all_well(shopper: Shopper) -> bool:
    assert shopper.errors == []
    assert shopper.refused() == []
    return True


def test_a_guest_from_an_ad_buys_and_every_event_counts_once(shopper: Shopper) -> None:
    shopper.land()
    shopper.answer("Accept")
    shopper.page.click("text=Save for later")
    shopper.search("teapot </script>")
    shopper.search("teapot")
    shopper.add_to_cart(".card")
    purchase = shopper.order()
    shopper.expect(views=5, both=f"{WHOLE_WAY} Search")
    assert shopper.ids("Purchase") == {purchase}
    assert {one[:4] for one in shopper.ids("AddToCart") | shopper.ids("AddToWishlist")} == {"web-"}
    assert {"email", "phone", "ttclid", "ttp", "user_agent"} <= shopper.keys("Purchase")
    assert all_well(shopper)


def test_a_receipt_that_is_seen_again_tells_nothing_again(shopper: Shopper) -> None:
    shopper.land("/products/tenmoku-bowl/")
    shopper.answer("Accept")
    shopper.add_to_cart(".buy")
    shopper.order()
    events = "ViewContent AddToCart InitiateCheckout Purchase"
    shopper.expect(views=3, both=events)
    thank_you = shopper.page.url
    shopper.page.reload()
    shopper.page.goto(shopper.site)
    shopper.page.go_back()
    tab = shopper.open_tab()
    tab.goto(thank_you)
    tab.close()
    shopper.expect(views=7, both=events)
    assert all_well(shopper)


def test_a_customer_with_a_telephone_signs_up_and_buys(thumb: Shopper) -> None:
    thumb.land("/")
    thumb.answer("Accept")
    thumb.sign_up("grace@example.com")
    thumb.page.fill("#q", "teapot")
    thumb.page.press("#q", "Enter")
    thumb.page.tap("main .card a[href*='river-teapot']")
    thumb.page.tap("text=Save for later")
    thumb.add_to_cart(".buy")
    assert thumb.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    purchase = thumb.order()
    thumb.expect(views=7, both=f"{WHOLE_WAY} CompleteRegistration")
    assert thumb.ids("Purchase") == {purchase}
    for event in WHOLE_WAY.split():
        assert {"email", "external_id", "ttclid"} <= thumb.keys(event), event
    assert thumb.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert all_well(thumb)


def test_boosted_links_are_one_page_view_and_one_event_each(shopper: Shopper) -> None:
    shopper.goto("/")
    shopper.answer("Accept")
    shopper.page.evaluate("window.stays = true")
    shopper.page.click("nav.sections >> text=Stoneware")
    shopper.page.wait_for_url("**/stoneware/")
    shopper.page.click("main .card a[href*='speckled-mug']")
    shopper.page.wait_for_url("**/products/speckled-mug/")
    shopper.search("whisk")
    shopper.page.go_back()
    shopper.page.wait_for_url("**/products/speckled-mug/")
    shopper.page.wait_for_selector("h1:has-text('Speckled Mug')")
    assert shopper.page.title() == "Speckled Mug, 0.35 l · Tarnleaf"
    assert shopper.page.evaluate("window.stays") is True
    shopper.expect(views=5, both="ViewContent Search")
    shopper.page.click("text=Save for later")
    shopper.expect(views=5, both="ViewContent Search AddToWishlist")
    assert all_well(shopper)


def test_two_visitors_of_a_page_out_of_a_shared_cache(stage: Any, chromium: Browser) -> None:
    pages, ids = [], []
    for _ in range(2):
        context = chromium.new_context()
        shopper = Shopper(stage, context)
        answer = shopper.page.goto(f"{shopper.site}/new/river-teapot/")
        pages.append((answer.text(), answer.headers.get("vary"), answer.headers.get("set-cookie")))
        shopper.expect(views=0)
        shopper.answer("Accept")
        shopper.page.click("text=Save for later")
        shopper.expect(views=1, both="ViewContent AddToWishlist")
        ids.append(shopper.ids("ViewContent") | shopper.ids("AddToWishlist"))
        assert all_well(shopper)
        context.close()
    assert pages[0] == pages[1]
    assert pages[0][1:] == (None, None)
    assert len(ids[0] | ids[1]) == 4


def test_the_click_id_of_a_cached_landing_reaches_the_purchase(shopper: Shopper) -> None:
    shopper.land("/new/river-teapot/")
    shopper.answer("Accept")
    shopper.page.click("text=See it and buy")
    shopper.add_to_cart(".buy")
    shopper.order()
    shopper.expect(views=4, both="ViewContent ViewContent AddToCart InitiateCheckout Purchase")
    assert "ttclid" in shopper.keys("Purchase")
    assert all_well(shopper)


def test_an_ad_blocker_costs_the_pixel_call_alone(shopper: Shopper) -> None:
    shopper.context.route("**/events.js*", lambda route: route.abort())
    shopper.land()
    shopper.answer("Accept")
    shopper.page.click("text=Save for later")
    shopper.add_to_cart(".buy")
    purchase = shopper.order()
    shopper.expect(views=0, server="ViewContent AddToWishlist AddToCart InitiateCheckout Purchase")
    assert shopper.ids("Purchase") == {purchase}
    # The browser itself says which script did not come; no script throws.
    assert set(shopper.errors) == {"Failed to load resource: net::ERR_FAILED"}
    assert shopper.refused() == []


def test_a_blocker_of_everything_by_that_name_leaves_the_shop_and_the_answer(shopper: Shopper) -> None:
    shopper.context.route("**/*tiktok*/**", lambda route: route.abort())
    shopper.land()
    shopper.page.click(".consent >> text=Accept")
    shopper.page.click("text=Save for later")
    shopper.add_to_cart(".buy")
    shopper.order()
    shopper.expect(views=0, server="ViewContent AddToCart InitiateCheckout Purchase")
    assert set(shopper.errors) == {"Failed to load resource: net::ERR_FAILED"}


def test_a_refusal_is_told_to_nobody_and_costs_nothing(shopper: Shopper) -> None:
    shopper.land()
    shopper.answer("Refuse")
    shopper.page.click("text=Save for later")
    shopper.search("bowl")
    shopper.add_to_cart(".card")
    shopper.order()
    shopper.sign_up("refuses@example.com")
    shopper.expect(views=0)
    assert {one["name"] for one in shopper.context.cookies()} <= {"shop_ads", "sessionid", "csrftoken", "messages"}
    assert all_well(shopper)


def test_a_browser_that_refuses_cookies_can_look_around(stage: Any, cookieless: BrowserContext) -> None:
    """No answer can be kept, so the server tells nobody; what a page itself was allowed is the pixel's alone."""
    shopper = Shopper(stage, cookieless)
    shopper.land()
    shopper.answer("Accept")
    shopper.page.click("text=Save for later")
    shopper.search("bowl")
    shopper.expect(views=2, browser="AddToWishlist")
    shopper.page.click("main .card button:has-text('Add to cart')")
    shopper.page.wait_for_selector("text=The cart needs a cookie")
    assert cookieless.cookies() == []
    assert [one for one in shopper.errors if "403 (Forbidden)" not in one] == []
    assert shopper.refused() == []


def test_what_the_policy_forbids_is_heard_of(shopper: Shopper) -> None:
    """So the silence in all the other visits means something."""
    shopper.goto("/")
    shopper.page.evaluate("document.head.append(Object.assign(document.createElement('script'), {text: 'broken = 1'}))")
    assert shopper.stage.wait_until(lambda: len(shopper.refused()) == 1, seconds=10)
    assert "script-src" in shopper.refused()[0]
    assert shopper.page.evaluate("typeof broken") == "undefined"
