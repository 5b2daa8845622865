"""The list, an event and a background job used in a real browser, over more events than a page holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from tests.admin.samples import EMAIL
from tiktok_attribution.delivery import manual
from tiktok_attribution.events.hashing import search_key
from tiktok_attribution.models import OutboxEvent, Outcome, State

if TYPE_CHECKING:
    from playwright.sync_api import Page

Make = Callable[..., Any]
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
    seat.click("text=Select all events that match, on every page")
    seat.select_option("[name=action]", "cancel_selected")
    seat.click("button[name=index]")
    assert "75 events match: state: waiting." in seat.inner_text("#content")
    seat.click("text=Cancel sending")
    seat.wait_for_selector("#tiktok-progress[data-running]")

    manual.work("default")

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
