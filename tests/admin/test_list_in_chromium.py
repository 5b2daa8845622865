"""The list, an event and a background job in a real browser, over more events than a page holds.

Pictures of them go to screenshots/, which git ignores.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.admin.samples import EMAIL
from tiktok_attribution.delivery import bulk
from tiktok_attribution.events.matching import search_key
from tiktok_attribution.models import BulkJob, OutboxEvent, Outcome, State

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Make = Callable[..., Any]
PICTURES = Path(__file__).parents[2] / "screenshots"
LIST = "/admin/tiktok_attribution/outboxevent/"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def filled(event: Make, attempt: Make) -> list[OutboxEvent]:
    """A morning of a shop: 120 events in every state."""
    made = []
    for number in range(120):
        state = State.values[number % len(State.values)]
        seconds = 3 * (120 - number)
        values: dict[str, Any] = {
            "state": state,
            "age": seconds,
            "object_label": "shop.Order",
            "object_pk": str(number),
        }
        values |= {"wants_browser": number % 3 > 0, "browser_at": timezone.now() if number % 3 == 1 else None}
        if state == State.INVALID:
            values["note"] = "contents[0].price is no number"
        if state == State.DELIVERED:
            values["delivered_at"] = timezone.now()
        row = event(**values, email_key=search_key(EMAIL) if number == 50 else None)
        if state == State.DELIVERED:
            attempt(row, outcome=Outcome.DELIVERED, http_status=200, code=0, message="OK", duration_seconds=0.1)
        if state == State.REJECTED:
            attempt(row, outcome=Outcome.ISOLATE, http_status=200, code=40002, message="Invalid value for price.")
        made.append(row)
    return made


@pytest.fixture
def signed_in(client_of: Callable[..., Any], live_server: Any) -> Callable[[Page], Page]:
    """Gives a page the session of a superuser."""

    def sign(page: Page) -> Page:
        session = client_of("superuser").cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return page

    return sign


@pytest.fixture
def seat(page: Page, signed_in: Callable[[Page], Page]) -> Page:
    return signed_in(page)


def test_the_pages_are_walked_by_keyboard(seat: Page, live_server: Any, filled: list[OutboxEvent]) -> None:
    seat.goto(live_server.url + LIST)

    seat.locator("a[rel=next]").focus()
    seat.keyboard.press("Enter")
    seat.wait_for_url("**/?before=*")
    assert seat.locator("#result_list tbody tr").count() == 50
    seat.locator("a[rel=prev]").focus()
    seat.keyboard.press("Enter")
    seat.wait_for_url("**/?after=*")

    assert filled[-1].event_id in seat.inner_text("#result_list")


@pytest.mark.privacy
def test_a_typed_email_address_reaches_no_address_of_the_browser(
    seat: Page, live_server: Any, filled: list[OutboxEvent]
) -> None:
    addresses: list[str] = []
    seat.on("request", lambda request: addresses.append(request.url))
    seat.goto(live_server.url + LIST)

    seat.fill("#searchbar", "Ann@example.com")
    seat.keyboard.press("Enter")
    seat.wait_for_url("**/?person=*")

    assert seat.locator("#result_list tbody tr").count() == 1
    assert [one for one in addresses if "example.com" in one] == []
    assert seat.input_value("#searchbar") == ""


def test_a_whole_filter_is_cancelled_and_the_page_follows(
    seat: Page, live_server: Any, filled: list[OutboxEvent], event: Make
) -> None:
    for _ in range(60):
        event()
    seat.goto(f"{live_server.url}{LIST}?state__exact=waiting")
    seat.check("#action-toggle")
    seat.click("text=Select all events that fit, on every page")
    seat.select_option("[name=action]", "cancel_selected")
    seat.click("button[name=index]")
    assert "75 events fit: state: waiting." in seat.inner_text("#content")
    PICTURES.mkdir(exist_ok=True)
    seat.screenshot(path=PICTURES / "admin-bulk-question.png")
    seat.click("text=Cancel sending")
    seat.wait_for_selector("#tiktok-progress[data-running]")

    bulk.work("default")

    seat.wait_for_selector("#tiktok-progress:not([data-running])", timeout=15_000)
    assert "100 % looked through, 75 events changed" in seat.inner_text("#tiktok-progress")
    assert OutboxEvent.objects.filter(state=State.WAITING).count() == 0


def test_the_command_is_copied(seat: Page, live_server: Any, filled: list[OutboxEvent]) -> None:
    seat.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    row = next(one for one in filled if one.payload)
    seat.goto(f"{live_server.url}{LIST}{row.pk}/change/")
    seat.click("text=The same as a command")

    seat.click("button[data-copies]")
    seat.wait_for_selector("text=Copied")

    copied = seat.evaluate("navigator.clipboard.readText()")
    assert copied == seat.text_content("#tiktok-curl")
    assert copied.startswith("curl --request POST ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_can_be_looked_at(
    chromium: Browser, live_server: Any, signed_in: Any, filled: list[OutboxEvent], *, scheme: Any, width: int
) -> None:
    job = BulkJob.objects.create(verb="retry", chosen='{"state": "rejected"}', first_key=1, last_key=200, cursor=90)
    BulkJob.objects.filter(pk=job.pk).update(changed=61, left_alone=9, reasons='{"too old": 6, "cleared": 3}')
    row = next(one for one in filled if one.state == State.REJECTED and one.browser_at)
    pages = {
        "list": LIST,
        "list-nothing": f"{LIST}?q=nothing",
        "event": f"{LIST}{row.pk}/change/",
        "job": reverse("admin:tiktok_attribution_bulkjob_change", args=[job.pk]),
        "jobs": reverse("admin:tiktok_attribution_bulkjob_changelist"),
    }
    PICTURES.mkdir(exist_ok=True)
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = signed_in(context.new_page())
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for name, path in pages.items():
        answer = page.goto(live_server.url + path)
        assert answer is not None
        assert answer.ok
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), f"{name} is wider than {width}"
        page.screenshot(path=PICTURES / f"admin-{name}-{scheme}-{width}.png", full_page=name == "event")
    context.close()
    assert errors == []
