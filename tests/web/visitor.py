"""A visitor of the example shop with a browser of any engine."""

from __future__ import annotations

from typing import Any

from tests.example.hearing import Hearing
from tests.example.shopper import ADDRESS, CLICK_ID
from tests.web.browsers import Browser


class Visitor(Hearing):
    """What a person does, one step a method; each waits until the page shows it."""

    def __init__(self, stage: Any, browser: Browser) -> None:
        super().__init__(stage)
        self.browser = browser

    def goto(self, path: str) -> None:
        self.browser.open(self.site + path)

    def land(self, path: str = "/products/river-teapot/") -> None:
        """From an ad."""
        self.goto(f"{path}?ttclid={CLICK_ID}&utm_source=tiktok")

    def answer(self, word: str) -> None:
        """ "yes" or "no" in the banner; waits until it is kept, and for "yes" until the pixel is there."""
        self.browser.click(f'.consent button[data-consent-answer="{word}"]')
        self.browser.wait_for(lambda: self.browser.cookie("shop_ads") == word)
        if word == "yes":
            self.wait_for_page_view()

    def wait_for_page_view(self) -> None:
        """Until this page's own view has arrived: from then on its calls go out at once."""
        self.browser.wait_for(lambda: any(one["channel"] == "browser" for one in self.arrivals()))

    def reopen_banner(self) -> None:
        self.browser.click("footer button[data-consent-open]")

    def add_to_cart(self) -> None:
        self.browser.click("main .buy button[type=submit]")
        self.browser.wait_for(lambda: self.browser.url.endswith("/cart/"))

    def order(self) -> str:
        """From a filled cart over the payment page to the receipt; returns the event_id of the purchase."""
        browser = self.browser
        self.goto("/checkout/")
        for name, value in ADDRESS.items():
            browser.fill(f"main [name={name}]", value)
        browser.click("main form.form button[type=submit]")
        browser.wait_for(lambda: browser.text("button[name=pay]"))
        browser.click("button[name=pay]")
        browser.wait_for(lambda: browser.url.endswith("/thank-you/"))
        self.receipt_views = 1 + int(browser.run("return document.querySelectorAll('section.state.new').length"))
        browser.wait_for(lambda: browser.text("section.state.paid"))
        return f"order-{browser.text('#receipt-title').split()[1]}"
