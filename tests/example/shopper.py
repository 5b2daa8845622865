"""A visitor of the example shop with a browser, and what the stand-in has heard of this visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.example.hearing import PATIENCE_SECONDS, Hearing

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

CLICK_ID = "E.C.P.chromium-click"
ADDRESS = {
    "name": "Ada </script> Visitor",
    "email": "ada@example.com",
    "phone": "030 901820",
    "street": "Teegasse 1",
    "postal_code": "10115",
    "city": "Berlin",
}


class Shopper(Hearing):
    """With Chromium. `errors`: what the pages wrote to the console as an error, and what their scripts threw."""

    def __init__(self, stage: Any, context: BrowserContext) -> None:
        super().__init__(stage)
        self.context = context
        context.set_default_timeout(10_000)
        self.errors: list[str] = []
        self.page = self.open_tab()

    def open_tab(self) -> Any:
        tab = self.context.new_page()
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        return tab

    def goto(self, path: str) -> None:
        self.page.goto(self.site + path, wait_until="load")

    def land(self, path: str = "/products/river-teapot/") -> None:
        """From an ad."""
        self.goto(f"{path}?ttclid={CLICK_ID}&utm_source=tiktok")

    def answer(self, word: str) -> None:
        """Choose "Accept" or "Refuse" in the banner; waits until the shop has been told."""
        with self.page.expect_response("**/tiktok/consent/"):
            self.page.click(f".consent button:has-text('{word}')")

    def search(self, words: str) -> None:
        self.page.fill("#q", words)
        self.page.press("#q", "Enter")
        self.page.wait_for_url("**/search/**")

    def add_to_cart(self, where: str) -> None:
        """By a product's form (".buy"), or by the button of a card."""
        self.page.click(f"main {where} button:has-text('Add to cart')")
        self.page.wait_for_url("**/cart/")

    def order(self) -> str:
        """From a filled cart over the payment page to the receipt; returns the event_id of the purchase."""
        self.goto("/checkout/")
        for name, value in ADDRESS.items():
            self.page.fill(f"main [name={name}]", value)
        self.page.click("text=Order and pay")
        with self.page.expect_navigation(url="**/thank-you/"):
            self.page.click("text=Pay now")
        # As a rule the receipt is there before the provider has reported, and then shows itself anew.
        self.receipt_views = 1 + self.page.locator("section.state.new").count()
        self.page.wait_for_selector("section.state.paid", timeout=PATIENCE_SECONDS * 1000)
        number = self.page.inner_text("#receipt-title").split()[1]
        return f"order-{number}"

    def sign_up(self, email: str) -> None:
        self.goto("/account/sign-up/")
        for name, value in {"first_name": "Ada", "email": email}.items():
            self.page.fill(f"main [name={name}]", value)
        for name in ("password1", "password2"):
            self.page.fill(f"[name={name}]", "celadon-kettle-27")
        self.page.click("text=Make an account")
        self.page.wait_for_selector("text=Welcome to Tarnleaf")
