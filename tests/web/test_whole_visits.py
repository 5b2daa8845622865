"""Whole visits of the example shop in three engines: every event on both channels, counted once."""

from __future__ import annotations

import pytest

from tests.web.visitor import Visitor

pytestmark = [pytest.mark.web, pytest.mark.on_engine("sqlite")]


def all_well(visitor: Visitor) -> bool:
    assert visitor.browser.errors() == []
    assert visitor.refused() == []
    return True


def readable(visitor: Visitor) -> set[str]:
    """Names of the cookies that a script can read; without Django's own, the note that something waits, and the one by
    which TikTok's script tries whether it may keep any.
    """
    parts = visitor.browser.run("return document.cookie").split(";")
    return {part.partition("=")[0].strip() for part in parts} - {"", "csrftoken", "tiktok_waiting", "_tt_enable_cookie"}


def test_a_guest_from_an_ad_buys_and_every_event_counts_once(visitor: Visitor) -> None:
    visitor.land()
    visitor.answer("yes")
    visitor.browser.click("[data-save]")
    visitor.add_to_cart()
    purchase = visitor.order()
    visitor.expect(views=3, both="ViewContent AddToWishlist AddToCart InitiateCheckout Purchase")
    assert visitor.ids("Purchase") == {purchase}
    assert {"email", "phone", "ttclid", "ttp", "user_agent"} <= visitor.keys("Purchase")
    assert all_well(visitor)


def test_of_a_guest_who_refuses_nobody_hears(visitor: Visitor) -> None:
    visitor.land()
    visitor.answer("no")
    visitor.browser.click("[data-save]")
    visitor.add_to_cart()
    visitor.order()
    visitor.expect(views=0)
    assert all_well(visitor)


def test_an_answer_that_comes_after_the_order_lets_everything_go(visitor: Visitor) -> None:
    visitor.land()
    visitor.browser.click("[data-save]")
    visitor.add_to_cart()
    purchase = visitor.order()
    assert visitor.settled() == {}
    visitor.browser.click('.consent button[data-consent-answer="yes"]')
    visitor.browser.wait_for(lambda: visitor.ids("Purchase") == {purchase})
    heard = visitor.settled()
    assert heard["Purchase", "browser+server"] == heard["ViewContent", "browser+server"] == 1
    assert heard["InitiateCheckout", "browser+server"] == heard["AddToCart", "browser+server"] == 1
    assert heard["AddToWishlist", "browser+server"] == 0  # its page was left before anybody had agreed
    assert all_well(visitor)


def test_what_is_clicked_and_left_at_once_goes_out_by_beacon(visitor: Visitor) -> None:
    visitor.land()
    visitor.answer("yes")
    visitor.expect(views=1, both="ViewContent")
    visitor.browser.run("document.querySelector('[data-save]').click(); location.href = '/cart/'")
    visitor.browser.wait_for(lambda: visitor.browser.url.endswith("/cart/"))
    visitor.expect(views=2, both="ViewContent AddToWishlist")
    assert all_well(visitor)


def test_a_page_that_is_gone_back_to_fires_nothing_again(visitor: Visitor) -> None:
    visitor.land()
    visitor.answer("yes")
    visitor.add_to_cart()
    purchase = visitor.order()
    visitor.browser.wait_for(lambda: visitor.ids("Purchase") == {purchase})
    visitor.settled()
    visitor.browser.follow(visitor.site + "/cart/")
    visitor.browser.back()
    heard = visitor.settled()
    assert heard["Purchase", "browser+server"] == 1
    assert sum(one["event"] == "Purchase" for one in visitor.arrivals()) == 2  # each half once
    assert all_well(visitor)


@pytest.mark.privacy
def test_no_script_can_read_the_cookies_that_name_a_visitor(visitor: Visitor) -> None:
    visitor.land()
    assert readable(visitor) == set()
    visitor.answer("yes")
    visitor.expect(views=1, both="ViewContent")
    visitor.add_to_cart()
    assert readable(visitor) == {"shop_ads", "_ttp"}
    visitor.reopen_banner()
    visitor.answer("no")
    assert visitor.browser.errors() == []
