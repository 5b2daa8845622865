"""Pictures of the demonstration, made as a person would see it: `pytest tests/example/test_screenshots.py`.

They lie in screenshots/, which git ignores; the README's own one is a copy of it in docs/images/.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.example.shopper import Shopper

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "screenshots"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def visited(stage: Any, demo: Any) -> Any:
    """The running demonstration, after its scripted visitors have bought and attribution has seen it."""
    day = demo.campaigns.today()
    demo.campaigns.import_spend(stage, day)
    demo.campaigns.play(stage)
    assert stage.wait_until(lambda: demo.report.is_complete(demo.report.state(stage.standin)["events"]))
    assert stage.wait_until(lambda: demo.campaigns.figures(stage, day) == demo.campaigns.EXPECTED, 120)
    return stage


PAGES = {
    "shop": "/",
    "landing": "/new/river-teapot/",
    "product": "/products/river-teapot/",
    "search": "/search/?q=tea",
    "privacy": "/privacy/",
    "admin-events": "/admin/tiktok_attribution/outboxevent/",
    "admin-event": "/admin/tiktok_attribution/outboxevent/?q=order-1",
    "admin-attempts": "/admin/tiktok_attribution/attempt/",
    "admin-overview": "/admin/tiktok_attribution/overview/?period=today",
    "admin-diagnosis": "/admin/tiktok_attribution/diagnosis/",
    "admin-jobs": "/admin/tiktok_attribution/bulkjob/",
    "admin-attribution": "/admin/tiktok_attribution/attributionreport/",
    "admin-attribution-windows": "/admin/tiktok_attribution/attributionreport/?windows=1&model=linear",
    "admin-attribution-link": "/admin/tiktok_attribution/attributionreport/link/",
    "admin-spend": "/admin/tiktok_attribution/spendimport/",
    "admin-spend-import": "/admin/tiktok_attribution/spendimport/import/",
    "admin-pixels": "/admin/tiktok_attribution/pixelstatus/",
}


looks = pytest.mark.parametrize(("scheme", "width"), list(product(["light", "dark"], [1440, 390])))


@looks
def test_the_pages_can_be_looked_at(visited: Any, chromium: Browser, scheme: Any, width: int) -> None:
    PICTURES.mkdir(exist_ok=True)
    errors: list[str] = []
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    context.add_cookies([{"name": "shop_ads", "value": "no", "url": visited.site}])
    page.goto(f"{visited.site}/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.click("[type=submit]")
    for name, path in PAGES.items():
        answer = page.goto(visited.site + path)
        assert answer is not None
        assert answer.ok, path
        if name == "admin-event":
            page.click("#result_list th a")
            assert "order-1" in page.inner_text("#content")
        if "attribution" in name or "spend" in name:
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        if name == "admin-spend-import":  # the whole id can be read
            field = page.locator("#tiktok-advertiser")
            assert field.evaluate("field => field.scrollWidth <= field.clientWidth")
        page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png", full_page=name != "admin-events")
    page.goto(visited.standin)
    page.screenshot(path=PICTURES / f"stand-in-{scheme}-{width}.png", full_page=True)
    context.close()
    assert errors == []
    assert "refused by the policy" not in (visited.var / "site.log").read_text(errors="replace")


@looks
def test_a_purchase_can_be_looked_at(stage: Any, chromium: Browser, scheme: Any, width: int) -> None:
    PICTURES.mkdir(exist_ok=True)
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    shopper = Shopper(stage, context)

    def look(name: str, *, whole: bool = True) -> None:
        shopper.page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png", full_page=whole)
        assert shopper.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    shopper.goto("/")
    look("consent", whole=False)
    shopper.answer("Accept")
    shopper.page.click("footer >> text=Privacy settings")
    look("consent-again", whole=False)
    shopper.answer("Accept")
    shopper.goto("/products/river-teapot/")
    shopper.add_to_cart(".buy")
    look("cart")
    shopper.goto("/checkout/")
    look("checkout")
    shopper.order()
    look("receipt")
    assert shopper.errors == []
    context.close()
