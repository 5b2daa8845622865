"""The stand-in's events.js in a real browser, drained from the queue that a real base code fills."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.testing.samples import EMAIL
from tiktok_attribution.testing.arrivals import Arrival
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

BASE_CODE = (Path(__file__).parent / "base_code.html").read_text()
Visit = Callable[..., None]


@pytest.fixture
def visit(standin: StandIn, page: Page) -> Iterator[Visit]:
    """Open a page of a shop whose base code makes these calls on `ttq`."""
    shown = {"text": ""}

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = shown["text"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object, **kwargs: object) -> None:
            pass

    shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def open_page(calls: str, *, path: str = "/", text: str = "") -> None:
        shown["text"] = text or BASE_CODE % {"standin": standin.url, "calls": calls}
        page.goto(f"http://127.0.0.1:{shop.server_address[1]}{path}", wait_until="load")

    yield open_page
    shop.shutdown()
    shop.server_close()


def arrived(standin: StandIn, number: int) -> list[Arrival]:
    """Wait for so many arrivals, then for a moment whether there are more."""
    assert standin.ledger.wait_for(lambda ledger: len(ledger.arrivals()) >= number, timeout_seconds=5)
    standin.ledger.wait_for(lambda ledger: len(ledger.arrivals()) > number, timeout_seconds=0.15)
    found = standin.ledger.arrivals()
    assert len(found) == number
    return found


def names(arrivals: list[Arrival]) -> list[str]:
    return sorted(one.event for one in arrivals)


def remarked(standin: StandIn, words: str) -> bool:
    """Wait for a remark with these words."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if any(words in remark.text for remark in standin.notes.remarks()):
            return True
        time.sleep(0.02)
    return False


def test_the_queue_is_drained(standin: StandIn, visit: Visit, console_errors: list[str]) -> None:
    visit('ttq.load("C0A"); ttq.page(); ttq.track("Purchase", {value: 5, currency: "EUR"}, {event_id: "order-1"});')
    found = {one.event: one for one in arrived(standin, 2)}
    purchase = found["Purchase"]
    assert (purchase.pixel, purchase.event_id, purchase.value, purchase.currency) == ("C0A", "order-1", 5, "EUR")
    assert found["Pageview"].event_id == ""
    assert console_errors == []


def test_calls_after_loading_work_at_once(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A");')
    page.evaluate('ttq.track("Contact", {}, {event_id: "c-1"})')
    assert names(arrived(standin, 1)) == ["Contact"]


def test_pushing_an_array_is_a_call(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A"); ttq.push(["track", "Lead", {}, {event_id: "l-1"}]);')
    page.evaluate('ttq.push(["track", "Contact", {}, {event_id: "c-1"}])')
    assert names(arrived(standin, 2)) == ["Contact", "Lead"]


def test_what_is_no_array_is_ignored_in_silence(
    standin: StandIn, visit: Visit, page: Page, console_errors: list[str]
) -> None:
    pushes = '(function () { ttq.push(arguments); })("track", "Lead"); ttq.push("track"); ttq.push({}); ttq.push(null);'
    visit(f'ttq.load("C0A"); {pushes} ttq.page();')
    page.evaluate(pushes)
    assert names(arrived(standin, 1)) == ["Pageview"]
    assert console_errors == []


def test_a_callable_queue_loses_every_event(standin: StandIn, visit: Visit) -> None:
    script = f"{standin.script_url}?sdkid=C0A&lib=ttq"
    visit(
        "",
        text="<script>window.ttq = function () { ttq.queue.push(arguments); }; ttq.queue = [];"
        f'ttq("track", "Purchase");</script><script src="{script}"></script>',
    )
    assert remarked(standin, "not an array")
    assert standin.ledger.arrivals() == []


def test_events_go_to_every_pixel(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.load("C0B"); ttq.track("Lead", {}, {event_id: "l-1"});')
    assert sorted(one.pixel for one in arrived(standin, 2)) == ["C0A", "C0B"]


def test_pixel_code_limits_an_event_to_one_pixel(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.load("C0B"); ttq.track("Lead", {}, {event_id: "l-1", pixel_code: "C0B"});')
    assert [one.pixel for one in arrived(standin, 1)] == ["C0B"]


def test_an_instance_sends_to_its_pixel_only(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A"); ttq.load("C0B"); ttq.instance("C0B").track("Lead", {}, {event_id: "l-1"});')
    page.evaluate('ttq.instance("C0A").track("Contact", {}, {event_id: "c-1"})')
    assert sorted((one.pixel, one.event) for one in arrived(standin, 2)) == [("C0A", "Contact"), ("C0B", "Lead")]


def test_a_pixel_loaded_later_is_adopted(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A"); ttq.page();')
    arrived(standin, 1)
    page.evaluate('ttq.load("C0B"); ttq.instance("C0B").track("Lead", {}, {event_id: "l-1"})')
    assert [one.pixel for one in arrived(standin, 2)] == ["C0A", "C0B"]


def test_identity_is_shared_by_all_pixels(standin: StandIn, visit: Visit) -> None:
    visit(
        'ttq.load("C0A"); ttq.load("C0B");'
        f'ttq.instance("C0A").identify({{sha256_email: "{EMAIL}"}});'
        'ttq.instance("C0B").track("Lead", {}, {event_id: "l-1"});'
    )
    assert arrived(standin, 1)[0].user["email"] == [EMAIL]


def test_identity_counts_from_its_call_on(standin: StandIn, visit: Visit) -> None:
    visit(
        'ttq.load("C0A"); ttq.track("Lead", {}, {event_id: "l-1"});'
        f'ttq.identify({{external_id: "{EMAIL}", email: ""}}); ttq.track("Contact", {{}}, {{event_id: "c-1"}});'
    )
    keys = {one.event: one.matching_keys for one in arrived(standin, 2)}
    assert ("external_id" in keys["Lead"], "external_id" in keys["Contact"]) == (False, True)
    assert "email" not in keys["Contact"]


@pytest.mark.privacy
def test_a_plain_email_is_remarked_and_not_kept(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.identify({email: "anna@example.org"}); ttq.track("Lead", {}, {event_id: "l"});')
    assert arrived(standin, 1)[0].user["email"] == ["(not hashed)"]
    assert remarked(standin, "email is not hashed")


def test_click_id_and_address_come_with_the_event(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.page();', path="/shoes?ttclid=E.C.P.1&x=%3Cb%3E")
    (view,) = arrived(standin, 1)
    assert view.user["ttclid"] == "E.C.P.1"
    assert view.body["page"]["url"].endswith("/shoes?ttclid=E.C.P.1&x=%3Cb%3E")


def test_the_ttp_cookie_is_set_and_stays(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A"); ttq.page();')
    (first,) = arrived(standin, 1)
    visit('ttq.load("C0A"); ttq.page();', path="/next")
    second = arrived(standin, 2)[1]
    assert page.evaluate("document.cookie").count("_ttp=") == 1
    assert first.user["ttp"].endswith(".tt.1")
    assert second.user["ttp"] == first.user["ttp"]


@pytest.mark.privacy
def test_no_cookie_after_disable_cookie(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A"); ttq.page(); ttq.disableCookie();')
    assert "ttp" not in arrived(standin, 1)[0].user
    assert page.evaluate("document.cookie") == ""


def test_enable_cookie_sets_it_again(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.disableCookie(); ttq.load("C0A");')
    page.evaluate("ttq.enableCookie()")
    assert "_ttp=" in page.evaluate("document.cookie")


@pytest.mark.privacy
def test_held_events_wait_and_no_cookie_is_set(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.holdConsent(); ttq.load("C0A"); ttq.page();')
    assert arrived(standin, 0) == []
    assert page.evaluate("document.cookie") == ""


def test_granting_sends_what_was_held(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.holdConsent(); ttq.load("C0A"); ttq.page(); ttq.track("Lead", {}, {event_id: "l-1"});')
    page.evaluate("ttq.grantConsent()")
    assert names(arrived(standin, 2)) == ["Lead", "Pageview"]


@pytest.mark.privacy
def test_revoking_drops_what_was_held(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.holdConsent(); ttq.load("C0A"); ttq.page();')
    page.evaluate('ttq.revokeConsent(); ttq.track("Lead", {}, {event_id: "l-1"})')
    page.evaluate('ttq.grantConsent(); ttq.track("Contact", {}, {event_id: "c-1"})')
    assert names(arrived(standin, 1)) == ["Contact"]


@pytest.mark.parametrize(
    "calls",
    [
        'ttq.load("C0A", {limited_data_use: true}); ttq.track("Lead", {}, {event_id: "l"});',
        'ttq.load("C0A"); ttq.track("Lead", {limited_data_use: true}, {event_id: "l"});',
    ],
    ids=["of the pixel", "of the event"],
)
def test_limited_data_use(standin: StandIn, visit: Visit, calls: str) -> None:
    visit(calls)
    assert arrived(standin, 1)[0].limited_data_use


def test_a_route_change_is_a_page_view(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A");')
    page.evaluate('history.pushState({}, "", "/a"); history.replaceState({}, "", "/b")')
    page.evaluate("history.back()")
    paths = [one.body["page"]["url"].split("/", 3)[3] for one in arrived(standin, 3)]
    assert sorted(paths) == ["", "a", "b"]


def test_a_state_change_without_a_new_address_is_none(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A");')
    page.evaluate('history.replaceState({}, "", location.href); history.pushState({}, "", "#part")')
    assert arrived(standin, 0) == []


def test_history_observer_can_be_turned_off(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A", {historyObserver: false}); ttq.load("C0B");')
    page.evaluate('history.pushState({}, "", "/a")')
    assert [one.pixel for one in arrived(standin, 1)] == ["C0B"]


def test_an_unknown_method_is_remarked(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.push(["buy", 1]);')
    assert remarked(standin, "no method named buy")


def test_an_event_id_that_is_a_number_merges_with_nothing(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.track("Lead", {}, {event_id: 42});')
    assert arrived(standin, 1)[0].event_id == ""
    assert remarked(standin, "not text")


def test_an_event_id_in_the_properties_is_not_seen(standin: StandIn, visit: Visit) -> None:
    visit('ttq.load("C0A"); ttq.track("Lead", {event_id: "l-1"});')
    assert arrived(standin, 1)[0].event_id == ""


def test_an_event_sent_while_the_page_is_left_arrives(standin: StandIn, visit: Visit, page: Page) -> None:
    visit('ttq.load("C0A");')
    page.evaluate('ttq.track("Contact", {}, {event_id: "c-1"}); location.href = "about:blank"')
    assert names(arrived(standin, 1)) == ["Contact"]
