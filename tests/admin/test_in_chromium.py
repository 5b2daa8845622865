"""The admin as people see it: no page keeps anybody out (axe-core), none is wider than a telephone, none has an error.

`pytest tests/admin/test_in_chromium.py` also leaves a picture of each page in screenshots/admin/, which git ignores.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.admin import filled
from tests.admin.samples import with_settings
from tests.attribution.spend_samples import ADVERTISER, ENGLISH
from tests.shop.models import Order

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = Path(__file__).parents[2] / "screenshots" / "admin"
DJANGOS_OWN = ("/plain/", "/plain/shop/order/", "/plain/shop/order/?q=buyer", "/plain/shop/order/1/change/")
"""A site that has nothing of ours. What axe finds on its pages is Django's affair."""

FOUR_TIMES = (
    "overview",
    "events",
    "events-none",
    "event-delivered",
    "event-rejected",
    "diagnosis",
    "attempt",
    "pixel-stopped",
    "orders",
    "order",
    "jobs",
    "job-running",
    "spend-upload",
    "spend-import",
    "attribution",
    "attribution-none",
    "attribution-link",
    "conversions",
    "conversion",
)
"""Looked at in light and dark, wide and narrow; the others once."""

ALL_CHOSEN = "text=Select all events that match, on every page"
QUESTIONS: dict[str, tuple[str, ...]] = {
    "event-waiting": ("text=Cancel sending",),
    "events-rejected": ("#action-toggle", "retry_selected", "button[name=index]"),
    "events": ("#action-toggle", ALL_CHOSEN, "cancel_selected", "button[name=index]"),
}
"""What is pressed, or chosen as an action, on a page until it asks whether that is meant."""

UPLOADS = {
    "spend-preview": ENGLISH,
    "spend-questions": "Campaign,Date,Cost\nA,01/02/2026,1.234\nB,x,2\n",
    "spend-refused": "Campaign,Cost\nA,5\n",
}
"""Files by what the page of the import shows of them."""

Violations = set[str]


@pytest.fixture
def addresses(live_server: Any, settings: Any) -> dict[str, str]:
    settings.ROOT_URLCONF = filled.__name__
    settings.TIKTOK_ATTRIBUTION = with_settings(
        SITE_URL="https://testserver", PIXEL_CODE=["C0EXAMPLE0000000000", filled.STOPPED]
    )
    paths = filled.fill()
    paths["events-rejected"] = f"{paths['events']}?state__exact=rejected"
    paths["events-refused"] = f"{paths['events']}?currency=USD"
    return {name: live_server.url + path for name, path in paths.items()}


def violations(page: Page) -> Violations:
    """Which rule is broken, and where: "color-contrast: .tiktok-badge". Breadcrumbs are Django's on every page."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 -- slow to import, and one test needs it

    only = {"resultTypes": ["violations"]}  # else it describes all that passed, which takes longer
    found = Axe().run(page, context={"exclude": [[".breadcrumbs"]]}, options=only).response["violations"]
    return {f"{rule['id']}: {' '.join(map(str, node['target']))}" for rule in found for node in rule["nodes"]}


def asked(page: Page, address: str, steps: tuple[str, ...]) -> None:
    """Go as far as the question."""
    page.goto(address)
    for step in steps:
        if step.endswith("_selected"):
            page.select_option("[name=action]", step)
        else:
            page.click(step)
    page.wait_for_selector(".tiktok-confirm .tiktok-plan")


def upload(page: Page, address: str, text: str) -> None:
    page.goto(address)
    page.fill("[name=advertiser]", ADVERTISER)
    page.set_input_files("[name=file]", {"name": "march.csv", "mimeType": "text/csv", "buffer": text.encode()})
    page.click("[type=submit].default")
    page.wait_for_selector("[name=packed]", state="attached")


def faults(page: Page, picture: str, djangos: Violations) -> list[str]:
    """What is wrong with the page as it is now. Leaves its picture."""
    page.screenshot(path=PICTURES / f"{picture}.png", full_page=True)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    wide = [f"{picture}: {overflow} px too wide"] if overflow > 0 else []
    return [f"{picture}: {found}" for found in sorted(violations(page) - djangos)] + wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_keeps_anybody_out(
    seen: Page, live_server: Any, addresses: dict[str, str], scheme: str, width: int
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    errors: list[str] = []
    seen.on("pageerror", lambda error: errors.append(str(error)))
    djangos: Violations = set()
    for path in DJANGOS_OWN:
        seen.goto(live_server.url + path.replace("/1/", f"/{Order.objects.latest('pk').pk}/"))
        djangos |= violations(seen)
    wrong: list[str] = []
    for name, address in addresses.items():
        if (scheme, width) != ("light", 1280) and name not in FOUR_TIMES:
            continue
        answer = seen.goto(address)
        assert answer is not None
        assert answer.ok, address
        wrong += faults(seen, f"{name}-{scheme}-{width}", djangos)
    for name, text in UPLOADS.items():
        upload(seen, addresses["spend-upload"], text)
        wrong += faults(seen, f"{name}-{scheme}-{width}", djangos)
    for name, steps in QUESTIONS.items():
        asked(seen, addresses[name], steps)
        wrong += faults(seen, f"{name}-question-{scheme}-{width}", djangos)

    assert not wrong + errors, "\n".join(wrong + errors)


def test_from_right_to_left_code_stays_readable(
    chromium: Browser, signed_in: Callable[[Page], Page], addresses: dict[str, str], settings: Any
) -> None:
    settings.LANGUAGE_CODE = "ar"
    PICTURES.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(viewport={"width": 390, "height": 900})
    page = signed_in(context.new_page())
    wrong = []
    for name in FOUR_TIMES:
        page.goto(addresses[name])
        page.screenshot(path=PICTURES / f"{name}-rtl-390.png", full_page=True)
        assert page.evaluate("document.dir || document.documentElement.dir") == "rtl"
        wrong += page.evaluate(
            "[...document.querySelectorAll('pre, code')].filter(one => getComputedStyle(one).direction != 'ltr')"
            ".map(one => one.textContent)"
        )
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{name}: {overflow} px too wide"] if overflow > 0 else []
    context.close()

    assert wrong == []
