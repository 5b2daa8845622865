"""The pages under django-unfold as people see them.

`pytest --ds=tests.unfold_settings tests/admin/unfold_in_chromium.py`. Its process is a child of
`test_under_unfold`'s, for the theme takes the place of Django's site.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.urls import path
from playwright.sync_api import Page
from unfold.admin import ModelAdmin
from unfold.sites import UnfoldAdminSite

from tests.admin import filled
from tests.admin.samples import with_settings
from tests.admin.test_in_chromium import FOUR_TIMES, PICTURES, faults
from tests.shop.models import Order
from tiktok_attribution.admin.mixins import TikTokEvents

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("scheme", ["light", "dark"]),
    pytest.mark.parametrize("width", [1280, 390]),
]
UNFOLDS_OWN = ("region:", "landmark-one-main:", "landmark-unique:", "label:", "listitem:")
"""Rules that the theme's own pages break: no landmark for the content, fields of a list without labels, no `ul` around
the links at its head."""
UNFOLDS_LINK = "color-contrast: .showall"
CUT = """[...document.querySelectorAll("#result_list td, #result_list th")]
    .filter(cell => cell.offsetParent && cell.scrollHeight > cell.clientHeight + 2).map(cell => cell.innerText)"""


class OrderAdmin(TikTokEvents, ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "status")


themed = UnfoldAdminSite(name="themed")
themed.register(Order, OrderAdmin)
urlpatterns = [
    path("admin/", admin.site.urls),
    path("themed/", themed.urls),
]


@pytest.fixture
def addresses(live_server: Any, settings: Any) -> dict[str, str]:
    settings.ROOT_URLCONF = __name__
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE=["C0EXAMPLE0000000000", filled.STOPPED])
    paths = {name: address.replace("/office/", "/themed/") for name, address in filled.fill().items()}
    return {name: live_server.url + address for name, address in paths.items()}


def test_every_page_is_readable_and_whole(seen: Page, addresses: dict[str, str], scheme: str, width: int) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    for name in (*FOUR_TIMES, "attempts", "pixels"):
        seen.goto(addresses[name])
        seen.wait_for_selector(f"html{'.dark' if scheme == 'dark' else ':not(.dark)'}")
        found = faults(seen, f"unfold-{name}-{scheme}-{width}", set())
        wrong += [one for one in found if not one.split(": ", 1)[1].startswith((*UNFOLDS_OWN, UNFOLDS_LINK))]
        wrong += [f"{name}: cut off: {text}" for text in seen.evaluate(CUT)]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "action", "then"),
    [("events", "cancel_selected", ".tiktok-plan"), ("pixels", "resume_selected", "text=was not stopped")],
)
def test_an_action_on_chosen_rows_can_be_begun(
    seen: Page, addresses: dict[str, str], name: str, action: str, then: str
) -> None:
    seen.goto(addresses[name])
    seen.locator("input.action-select").first.check()
    seen.select_option("[name=action]", action)
    seen.click("button[name=index]")

    seen.wait_for_selector(then)


def test_the_head_of_the_list_does_not_take_one_page_for_all_events(seen: Page, addresses: dict[str, str]) -> None:
    seen.goto(addresses["events"])

    assert "result" not in seen.locator("h1").inner_text()


def test_the_search_that_is_the_themes_own_keeps_its_looks(seen: Page, addresses: dict[str, str]) -> None:
    seen.goto(addresses["attempts"])

    assert seen.locator("#searchbar").evaluate("field => getComputedStyle(field).borderTopWidth") == "0px"
