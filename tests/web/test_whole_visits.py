"""Whole visits of the example shop in three engines: every event on both channels, counted once."""

from __future__ import annotations

import pytest

from tests.web.visitor import Visitor

pytestmark = [pytest.mark.web, pytest.mark.on_engine("sqlite")]


def all_well(visitor: Visitor) -> bool:
    assert visitor.browser.errors() == []
    assert visitor.refused() == []
    return True


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
