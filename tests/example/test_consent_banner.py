"""The shop's consent banner: nothing before an answer, an answer without a page load, and a change of mind."""

from __future__ import annotations

import pytest

from tests.example.shopper import Shopper

pytestmark = [pytest.mark.browser, pytest.mark.privacy, pytest.mark.on_engine("sqlite")]

BANNER = "section[data-consent]"
SETTINGS = "footer >> text=Privacy settings"


def test_what_was_done_before_the_answer_goes_out_with_it(shopper: Shopper) -> None:
    shopper.land()
    shopper.search("bowl")
    assert shopper.page.evaluate("typeof ttq") == "undefined"
    shopper.expect(views=0)
    shopper.answer("Accept")
    assert shopper.page.is_hidden(BANNER)
    shopper.expect(views=1, both="ViewContent Search")
    assert "ttclid" in shopper.keys("ViewContent")
    shopper.goto("/")
    assert shopper.page.is_hidden(BANNER)
    assert shopper.errors == []


def test_an_answer_that_is_put_off_is_asked_for_on_the_next_page(shopper: Shopper) -> None:
    shopper.goto("/")
    shopper.page.click("text=Decide later")
    assert shopper.page.is_hidden(BANNER)
    shopper.goto("/privacy/")
    assert shopper.page.is_visible(BANNER)
    shopper.expect(views=0)


def test_an_agreement_is_withdrawn_at_the_foot_of_any_page(shopper: Shopper) -> None:
    shopper.land("/products/bamboo-whisk/")
    shopper.answer("Accept")
    shopper.add_to_cart(".buy")
    shopper.expect(views=2, both="ViewContent AddToCart")
    shopper.page.click(SETTINGS)
    assert shopper.page.inner_text("[data-consent-now]") == "At the moment you agree."
    shopper.page.click("text=Leave it so")
    shopper.page.click(SETTINGS)
    shopper.answer("Refuse")
    shopper.order()
    shopper.receipt_views = 0
    shopper.expect(views=2, both="ViewContent AddToCart")
    assert "ttclid" not in {one["name"] for one in shopper.context.cookies()}
    assert shopper.errors == []


def test_a_refusal_is_taken_back_from_the_privacy_page(shopper: Shopper) -> None:
    shopper.land("/products/bamboo-whisk/")
    shopper.answer("Refuse")
    shopper.goto("/privacy/")
    shopper.page.click("main >> text=Privacy settings")
    assert shopper.page.inner_text("[data-consent-now]") == "At the moment you refuse."
    shopper.answer("Accept")
    shopper.goto("/products/speckled-mug/")
    shopper.expect(views=1, both="ViewContent")  # a page that was opened under a refusal tells nothing
    assert shopper.errors == []


def test_the_banner_can_be_used_without_a_mouse(shopper: Shopper) -> None:
    shopper.goto("/")
    region = shopper.page.get_by_role("region", name="May we tell TikTok?")
    assert region.is_visible()
    sizes = [region.get_by_role("button", name=name).bounding_box() for name in ("Accept", "Refuse")]
    assert sizes[0] is not None
    assert len({(one["width"], one["height"]) for one in sizes if one}) == 1  # neither answer is the louder one
    region.get_by_role("button", name="Refuse").focus()
    shopper.page.keyboard.press("Enter")
    assert region.is_hidden()
    assert shopper.page.get_by_role("status").all_inner_texts() == ["You refuse. Nothing is told to TikTok."]
    shopper.page.locator(SETTINGS).focus()
    shopper.page.keyboard.press("Enter")
    assert shopper.page.evaluate("document.activeElement.id") == "consent-title"
    shopper.page.keyboard.press("Escape")
    assert shopper.page.evaluate("document.activeElement.textContent") == "Privacy settings"


@pytest.mark.parametrize(
    ("signal", "value", "header"), [("globalPrivacyControl", "true", "Sec-GPC"), ("doNotTrack", "'1'", "DNT")]
)
def test_a_browser_that_objects_by_itself_is_not_asked(shopper: Shopper, signal: str, value: str, header: str) -> None:
    shopper.context.add_init_script(f"Object.defineProperty(navigator, '{signal}', {{get: () => {value}}})")
    shopper.page.set_extra_http_headers({header: "1"})
    shopper.land()
    assert shopper.page.is_hidden(BANNER)
    shopper.page.click(SETTINGS)
    assert "Global Privacy Control" in shopper.page.inner_text("[data-consent-now]")
    shopper.answer("Accept")
    assert "objects by itself" in " ".join(shopper.page.get_by_role("status").all_inner_texts())
    shopper.expect(views=0)
    assert shopper.errors == []
