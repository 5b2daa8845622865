"""The tags in a real browser: the base code runs, the stand-in's events.js drains it, and the console stays silent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.arrivals import arrived, seen
from tests.browser.site import html
from tests.shop.models import Order
from tiktok_attribution.browser.inline_code import base_code, identify_call, track_call
from tiktok_attribution.events import BrowserCall
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NASTY = "</script><script>window.broken = 1</script><!-- \" ' \\ \u2028\u2029 😀 &lt; %s"
Open = Callable[..., None]


@pytest.fixture
def base(standin: StandIn) -> Callable[..., str]:
    def base(*pixels: str, history: bool = True, limited: bool = False) -> str:
        return base_code(pixels or ("C0A",), standin.pixel_host, history, "true" if limited else "")

    return base


Base = Callable[..., str]


def lead(event_id: str = "lead-1", *pixels: str, **properties: Any) -> str:
    return track_call(BrowserCall(name="Lead", properties=properties, event_id=event_id), pixels)


def test_a_pixel_loads_and_has_one_page_view(
    standin: StandIn, open_page: Open, base: Base, console_errors: list[str]
) -> None:
    open_page(base())
    assert seen(standin, 1) == [("C0A", "Pageview")]
    assert standin.notes.script_loads() == {"C0A": 1}
    assert console_errors == []


def test_the_tag_twice_is_one_pixel_and_one_page_view(standin: StandIn, open_page: Open, base: Base) -> None:
    open_page(base(), base())
    assert seen(standin, 1) == [("C0A", "Pageview")]
    assert standin.notes.script_loads() == {"C0A": 1}


def test_several_pixels_have_a_page_view_each(standin: StandIn, open_page: Open, base: Base) -> None:
    open_page(base("C0A", "C0B"))
    assert seen(standin, 2) == [("C0A", "Pageview"), ("C0B", "Pageview")]


def test_a_pixel_that_comes_later_gives_the_others_no_second_page_view(
    standin: StandIn, open_page: Open, base: Base
) -> None:
    open_page(base("C0A"), base("C0A", "C0B"))
    assert seen(standin, 2) == [("C0A", "Pageview"), ("C0B", "Pageview")]


def test_what_the_site_queued_before_is_kept(standin: StandIn, open_page: Open, base: Base) -> None:
    open_page('window.ttq = [["track", "Contact", {}, {event_id: "c-1"}]]; window.ours = window.ttq;', base())
    assert seen(standin, 2) == [("C0A", "Contact"), ("C0A", "Pageview")]


def test_another_tags_stub_is_kept(standin: StandIn, open_page: Open, base: Base, page: Page) -> None:
    open_page(base("C0A"), "window.theirs = ttq.load;", base("C0B"))
    assert page.evaluate("ttq.load === window.theirs")
    assert seen(standin, 2) == [("C0A", "Pageview"), ("C0B", "Pageview")]


def test_history_is_observed_unless_the_site_says_otherwise(
    standin: StandIn, open_page: Open, base: Base, page: Page
) -> None:
    open_page(base("C0A"), base("C0B", history=False))
    arrived(standin, 2)
    page.evaluate("history.pushState({}, '', '/next/')")
    assert seen(standin, 3) == [("C0A", "Pageview"), ("C0A", "Pageview"), ("C0B", "Pageview")]


def test_limited_data_use_holds_for_every_event(standin: StandIn, open_page: Open, base: Base) -> None:
    open_page(base(limited=True) + lead())
    assert [one.limited_data_use for one in arrived(standin, 2)] == [True, True]


def test_events_from_before_the_script_has_loaded_are_drained(
    standin: StandIn, open_page: Open, base: Base, console_errors: list[str]
) -> None:
    open_page(base() + lead(value=5, currency="EUR"))
    found = {one.event: one for one in arrived(standin, 2)}["Lead"]
    assert (found.event_id, found.value, found.currency) == ("lead-1", 5, "EUR")
    assert console_errors == []


def test_events_of_a_later_script_arrive_as_well(standin: StandIn, open_page: Open, base: Base, page: Page) -> None:
    open_page(base())
    arrived(standin, 1)
    page.add_script_tag(content=base() + lead())
    assert seen(standin, 2) == [("C0A", "Lead"), ("C0A", "Pageview")]


def test_an_event_goes_to_the_pixels_that_it_names(standin: StandIn, open_page: Open, base: Base) -> None:
    open_page(base("C0A", "C0B", "C0C") + lead("lead-1", "C0A", "C0B"))
    assert [pair for pair in seen(standin, 5) if pair[1] == "Lead"] == [("C0A", "Lead"), ("C0B", "Lead")]


@pytest.mark.privacy
def test_identify_counts_for_the_event_after_it(standin: StandIn, open_page: Open, base: Base) -> None:
    digest = email_sha256("ada@example.com")
    assert digest is not None
    open_page(base() + identify_call({"sha256_email": digest}) + lead())
    found = {one.event: one for one in arrived(standin, 2)}
    assert found["Lead"].user["email"] == [digest]
    assert "email" not in found["Pageview"].user


def test_nothing_that_people_typed_breaks_out(
    standin: StandIn, open_page: Open, base: Base, page: Page, console_errors: list[str]
) -> None:
    open_page(base() + lead("lead-1", description=NASTY), "window.after = 1")
    found = {one.event: one for one in arrived(standin, 2)}["Lead"]
    assert found.body["properties"]["description"] == NASTY
    assert page.evaluate("[window.broken, window.after]") == [None, 1]
    assert console_errors == []


def test_a_lone_surrogate_is_no_error(standin: StandIn, open_page: Open, base: Base, console_errors: list[str]) -> None:
    open_page(base() + lead("lead-1", description="\ud800"))
    assert ("C0A", "Lead") in seen(standin, 2)
    assert console_errors == []


def test_a_blocked_script_throws_nothing(open_page: Open, page: Page) -> None:
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.route("**/events.js*", lambda route: route.abort())
    open_page(base_code(("C0A",), "http://blocked.localhost", history_observer=True) + lead(), "window.after = 1")
    page.evaluate('ttq.track("Contact"); ttq.instance("C0A").track("Contact"); ttq.grantConsent()')
    assert thrown == []
    assert page.evaluate("window.after") == 1


def test_a_strict_policy_lets_a_script_with_its_nonce_run(
    standin: StandIn, open_page: Open, base: Base, console_errors: list[str]
) -> None:
    policy = f"default-src 'none'; script-src 'nonce-n0' {standin.url}; connect-src {standin.url}; img-src data:"
    open_page(f'<script nonce="n0">{base()}</script>', policy=policy)
    assert seen(standin, 1) == [("C0A", "Pageview")]
    assert console_errors == []


@pytest.fixture
def shop(live_server: Any, settings: Any, standin: StandIn) -> str:
    """A live site that talks to the stand-in; returns its address."""
    settings.ROOT_URLCONF = "tests.browser.site"
    purchase = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}
    settings.TIKTOK_ATTRIBUTION = {
        "PIXEL_CODE": "C0SHOP",
        "ACCESS_TOKEN": "token",
        "PIXEL_HOST": standin.pixel_host,
        "SITE_URL": live_server.url,
        "CONVERSIONS": {"shop.Order": {**purchase, "user": {"email": "email"}}},
    }
    return str(live_server.url)


def test_an_order_paid_by_webhook_is_shown_once(
    shop: str, standin: StandIn, page: Page, console_errors: list[str]
) -> None:
    page.goto(f"{shop}/page/")  # as shoppers do first; the pixel sets its cookie, by which its visitor is recognised
    arrived(standin, 1)
    page.goto(f"{shop}/order/")
    order = Order.objects.get()
    order.status = "paid"
    order.save()
    page.reload()
    arrived(standin, 4)
    page.reload()
    page.goto(f"{shop}/page/")
    found = [one for one in arrived(standin, 6) if one.event == "Purchase"]
    assert [(one.event_id, one.value) for one in found] == [(f"order-{order.pk}", 19.9)]
    assert found[0].user["email"] == [email_sha256("ada@example.com")]
    assert console_errors == []


def test_a_page_without_the_pixel_tag_shows_its_event(shop: str, standin: StandIn, page: Page) -> None:
    order = Order.objects.create(status="paid", total=5)
    page.goto(f"{shop}/order/{order.pk}/?headless")
    assert seen(standin, 2) == [("C0SHOP", "Pageview"), ("C0SHOP", "Purchase")]


def test_what_a_template_is_given_is_what_arrives(
    shop: str, standin: StandIn, open_page: Open, console_errors: list[str]
) -> None:
    open_page(html(None, "{% tiktok_event 'Search' search_string=words %}", words=NASTY))
    found = {one.event: one for one in arrived(standin, 2)}["Search"]
    assert json.dumps(found.body["properties"]).count("</script>") == 2
    assert console_errors == []
