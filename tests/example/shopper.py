"""A visitor of the example shop with a browser, and what the stand-in has heard of this visitor."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

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
PATIENCE_SECONDS = 30
QUIET_SECONDS = 1.0  # for what might come twice, or come at all
BOTH, BROWSER, SERVER = "browser+server", "browser", "server"
Heard = Counter[tuple[str, str]]


class Shopper:
    """One after the other, for what the stand-in hears from now on counts as this one's.

    `errors`: what the pages wrote to the console as an error, and what their scripts threw.
    """

    def __init__(self, stage: Any, context: BrowserContext) -> None:
        self.site, self.stage, self.context = stage.site, stage, context
        context.set_default_timeout(10_000)
        self.errors: list[str] = []
        self.receipt_views = 0
        self.page = self.open_tab()
        self._earlier = len(self._all_arrivals())
        self._refused_before = len(self._all_refused())

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

    def arrivals(self) -> list[dict[str, Any]]:
        """What the stand-in has heard since this shopper came."""
        return self._all_arrivals()[self._earlier :]

    def heard(self) -> Heard:
        """(event, channels) of each event_id. Page views have no id and are counted one by one."""
        channels: dict[tuple[str, str], list[str]] = {}
        for one in self.arrivals():
            key = (one["event"], one["event_id"] or str(one["number"]))
            channels.setdefault(key, []).append(one["channel"])
        return Counter((event, "+".join(sorted(each))) for (event, _), each in channels.items())

    def ids(self, event: str) -> set[str]:
        return {one["event_id"] for one in self.arrivals() if one["event"] == event}

    def keys(self, event: str) -> set[str]:
        """Matching keys of its server half."""
        (found,) = (one for one in self.arrivals() if (one["event"], one["channel"]) == (event, SERVER))
        return set(found["matching_keys"])

    def expect(self, *, views: int, both: str = "", browser: str = "", server: str = "") -> None:
        """Exactly these events (names, as often as they are there), each half once and counted once, and page views:
        so many, and those of the receipt.
        """
        views = views + self.receipt_views if views else 0
        wanted: Heard = Counter({("Pageview", BROWSER): views} if views else {})
        for channels, names in {BOTH: both, BROWSER: browser, SERVER: server}.items():
            wanted.update((name, channels) for name in names.split())
        self.stage.wait_until(lambda: self.heard() == wanted, seconds=PATIENCE_SECONDS)
        time.sleep(QUIET_SECONDS)
        heard = self.heard()
        assert heard == wanted, f"missing {wanted - heard}, too many {heard - wanted}"
        fates = Counter(one["fate"] for one in self.arrivals())
        expected = +Counter(counted=sum(wanted.values()), merged=len(both.split()))
        assert fates == expected, f"{fates} and not {expected}"

    def refused(self) -> list[str]:
        """What this shopper's browser has told the shop that its policy forbids."""
        return self._all_refused()[self._refused_before :]

    def _all_refused(self) -> list[str]:
        log = (self.stage.var / "site.log").read_text(errors="replace")
        return [line for line in log.splitlines() if "refused by the policy" in line]

    def _all_arrivals(self) -> list[dict[str, Any]]:
        with build_opener(ProxyHandler({})).open(f"{self.stage.standin}/standin/arrivals.json", timeout=10) as answer:
            return json.load(answer)["arrivals"]  # type: ignore[no-any-return]
