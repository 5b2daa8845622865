"""A guest in a real browser, from an ad to an account: what reaches TikTok, and what does not reach it twice."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.on_engine("sqlite")]

CLICK_ID = "E.C.P.chromium-click"
ADDRESS = {
    "name": "Ada </script> Visitor",
    "email": "ada@example.com",
    "phone": "030 901820",
    "street": "Teegasse 1",
    "postal_code": "10115",
    "city": "Berlin",
}
NAMES = ("ViewContent", "AddToWishlist", "AddToCart", "InitiateCheckout", "Purchase", "CompleteRegistration")


@pytest.fixture
def visit(stage: Any, page: Page) -> Page:
    """After the whole way: product page from an ad, cart, checkout as a guest, payment, thank-you page, sign-up."""
    page.goto(f"{stage.site}/products/river-teapot/?ttclid={CLICK_ID}&utm_source=tiktok")
    page.click("text=Save for later")
    page.click("text=Add to cart")
    page.goto(f"{stage.site}/checkout/")
    order_and_pay(page)
    return page


def order_and_pay(page: Page) -> None:
    for name, value in ADDRESS.items():
        page.fill(f"main [name={name}]", value)
    page.click("text=Order and pay")
    page.click("text=Pay now")
    page.wait_for_selector("section.state.paid", timeout=30_000)


def sign_up(page: Page, site: str, email: str = "ada@example.com") -> None:
    page.goto(f"{site}/account/sign-up/")
    for name, value in {"first_name": "Ada", "email": email}.items():
        page.fill(f"main [name={name}]", value)
    for name in ("password1", "password2"):
        page.fill(f"[name={name}]", "celadon-kettle-27")
    page.click("text=Make an account")
    page.wait_for_selector("text=Welcome to Tarnleaf")


def open_tab(context: BrowserContext, address: str, errors: list[str]) -> None:
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(address, wait_until="load")
    tab.close()


def test_every_event_arrives_on_both_channels_and_counts_once(
    stage: Any, demo: Any, visit: Page, console_errors: list[str]
) -> None:
    thank_you = visit.url
    sign_up(visit, stage.site)
    visit.reload()
    visit.goto(thank_you)
    visit.reload()
    open_tab(visit.context, thank_you, console_errors)
    visit.go_back()

    def events() -> list[dict[str, Any]]:
        return [row for row in demo.report.state(stage.standin)["events"] if row["event"] in NAMES]

    assert stage.wait_until(lambda: demo.report.is_complete(events()), seconds=30), demo.report.table(events())
    time.sleep(1)  # for what might come twice
    found = events()
    assert sorted(row["event"] for row in found) == sorted(NAMES)
    assert [row["event"] for row in found if not (row["browser_at"] and row["server_at"] and row["event_id"])] == []
    assert [row["counted"] for row in found] == [1] * len(NAMES)
    assert _repeats(stage) == []
    assert [row["event"] for row in found if "ttclid" not in row["matching_keys"]] == []
    assert {row["event"] for row in found if "email" in row["matching_keys"]} >= {"Purchase", "CompleteRegistration"}
    assert console_errors == []


def test_a_customer_with_a_phone_searches_signs_up_and_buys(
    stage: Any, demo: Any, chromium: Browser, console_errors: list[str]
) -> None:
    """Everything that a thumb does, in one visit; each event once, with both halves, and the customer's own keys."""
    before = {row["event_id"] for row in demo.report.state(stage.standin)["events"]}
    context = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.on("pageerror", lambda error: console_errors.append(str(error)))
    page.on("console", lambda message: console_errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{stage.site}/?ttclid={CLICK_ID}")
    sign_up(page, stage.site, email="grace@example.com")
    page.fill("#q", "teapot </script>")
    page.press("#q", "Enter")
    page.goto(f"{stage.site}/search/?q=teapot")
    page.tap("main a[href*='river-teapot']")
    page.tap("text=Save for later")
    page.tap("text=Add to cart")
    page.tap("text=Go to checkout")
    order_and_pay(page)

    def events() -> list[dict[str, Any]]:
        return [row for row in demo.report.state(stage.standin)["events"] if row["event_id"] not in before]

    wanted = sorted([*NAMES, "Search", "Search"])

    def is_there() -> bool:
        rows = [row for row in events() if row["event"] in wanted]
        return len(rows) >= len(wanted) and all(row["browser_at"] and row["server_at"] for row in rows)

    assert stage.wait_until(is_there, seconds=30), demo.report.table(events())
    rows = [row for row in events() if row["event"] in wanted]
    assert sorted(row["event"] for row in rows) == wanted
    assert {row["counted"] for row in rows} == {1}
    later = [row for row in rows if row["event"] != "CompleteRegistration"]
    assert [row["event"] for row in later if not {"email", "ttclid"} <= set(row["matching_keys"])] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert console_errors == []
    context.close()


def _repeats(stage: Any) -> list[tuple[str, str]]:
    """(channel, event) of what came twice on one channel; TikTok would drop it, but none should be sent."""
    with build_opener(ProxyHandler({})).open(f"{stage.standin}/standin/arrivals.json", timeout=10) as answer:
        arrivals = json.load(answer)["arrivals"]
    return [(one["channel"], one["event"]) for one in arrivals if one["fate"] == "repeat"]
