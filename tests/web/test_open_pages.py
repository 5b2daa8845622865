"""Pages that are open already, in memory or in a tab: an answer that is given elsewhere reaches them."""

from __future__ import annotations

import pytest

from tests.web.visitor import Visitor

pytestmark = [pytest.mark.web, pytest.mark.privacy, pytest.mark.on_engine("sqlite")]

PRODUCT, OTHER = "/products/river-teapot/", "/products/speckled-mug/"


def agree(visitor: Visitor) -> None:
    visitor.land()
    visitor.answer("yes")
    visitor.expect(views=1, both="ViewContent")


def came_out_of_memory(visitor: Visitor) -> bool:
    """Firefox loads the page anew under Marionette, whatever its settings say; it is tried all the same."""
    return bool(visitor.browser.run("return window.kept")) or visitor.browser.name == "firefox"


def leave_and_refuse(visitor: Visitor) -> None:
    visitor.browser.follow(visitor.site + OTHER)
    visitor.reopen_banner()
    visitor.answer("no")


def test_a_withdrawal_reaches_a_page_that_comes_back_out_of_memory(visitor: Visitor) -> None:
    agree(visitor)
    visitor.browser.run("window.kept = true")
    leave_and_refuse(visitor)
    before = visitor.settled()
    visitor.browser.back()
    assert came_out_of_memory(visitor)
    visitor.browser.click("[data-save]")
    assert visitor.settled() == before


def test_a_withdrawal_in_another_tab_reaches_this_one(visitor: Visitor) -> None:
    agree(visitor)
    first = visitor.browser.tab
    visitor.browser.new_tab()
    visitor.goto(OTHER)
    visitor.reopen_banner()
    visitor.answer("no")
    before = visitor.settled()
    visitor.browser.show(first)
    visitor.browser.click("[data-save]")
    assert visitor.settled() == before


def test_an_agreement_in_another_tab_reaches_this_one(visitor: Visitor) -> None:
    visitor.land()
    first = visitor.browser.tab
    visitor.browser.click("[data-save]")
    visitor.browser.new_tab()
    visitor.goto(OTHER)
    visitor.answer("yes")
    visitor.browser.show(first)
    visitor.expect(views=2, both="ViewContent ViewContent AddToWishlist")


def test_an_agreement_reaches_a_page_that_comes_back_out_of_memory(visitor: Visitor) -> None:
    visitor.land()
    visitor.browser.run("window.kept = true")
    visitor.browser.follow(visitor.site + OTHER)
    visitor.answer("yes")
    visitor.expect(views=1, both="ViewContent ViewContent")  # the answer to the banner's own report has come
    visitor.browser.back()
    assert came_out_of_memory(visitor)
    loaded_anew = not visitor.browser.run("return window.kept")
    visitor.browser.wait_for(lambda: visitor.browser.run("return Boolean(window.ttq)"))
    visitor.browser.click("[data-save]")
    visitor.expect(views=2, both="ViewContent ViewContent AddToWishlist" + " ViewContent" * loaded_anew)


def test_an_answer_after_the_whole_visit_lets_go_what_was_held(visitor: Visitor) -> None:
    visitor.land()
    visitor.browser.follow(visitor.site + OTHER)
    visitor.answer("yes")
    visitor.expect(views=1, both="ViewContent ViewContent")
