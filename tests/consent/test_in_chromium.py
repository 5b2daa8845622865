"""The gate in a real browser: it answers as the server does, and nothing leaves before the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.consent.conftest import ASKED, states
from tests.consent.strings import CASES
from tiktok_attribution import conf
from tiktok_attribution.browser.consent_gate import Gate
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.privacy]
Configure = Callable[..., None]

ASK = """([text, cookies]) => {
  Object.defineProperty(Document.prototype, "cookie", {configurable: true, get: () => cookies});
  delete window.tiktokAttribution;
  new Function(text)();
  let ran = false;
  tiktokAttribution.when(() => { ran = true; });
  return ran ? (tiktokAttribution.awaiting ? "unknown" : "granted") : "denied";
}"""


def test_the_page_reads_every_cookie_as_the_server_does(page: Page) -> None:
    page.goto("about:blank")
    for spec, cookies, answer in CASES:
        settings = conf.read({"CONSENT": spec, "HOLD_CONSENT": True})
        text = Gate(settings, None).around("0", first=True)
        header = "; ".join(f"{name}={value}" for name, value in {"other": "1", **cookies}.items())
        assert page.evaluate(ASK, [text, header]) == answer, (spec, cookies)


@pytest.fixture
def open_site(page: Page, live_server: Any, configure: Configure, tiktok_standin: StandIn) -> Callable[..., None]:
    """`open_site(path, CONSENT=…)`: a page of the site in the browser, with these settings."""

    def open_site(path: str, **keys: Any) -> None:
        configure(**keys)
        page.goto(f"{live_server.url}{path}", wait_until="load")

    return open_site


def browser_events(standin: StandIn, many: int) -> list[str]:
    standin.ledger.wait_for(lambda ledger: len(ledger.arrivals("browser")) >= many)
    return sorted(one.event for one in standin.ledger.arrivals("browser"))


def settle(page: Page) -> None:
    """Long enough for a call that must not be made."""
    page.wait_for_timeout(300)


@pytest.mark.django_db(transaction=True)
class TestBanner:
    """With the inline page and with the page script alike."""

    @pytest.fixture(autouse=True, params=[False, True], ids=["inline", "page script"])
    def _page_script(self, request: Any, configure: Configure) -> None:
        configure(PAGE_SCRIPT=request.param)

    def test_nothing_is_loaded_before_an_answer(
        self, open_site: Any, page: Page, tiktok_standin: StandIn, console_errors: list[str]
    ) -> None:
        open_site("/contact/", CONSENT=ASKED)
        settle(page)
        assert page.evaluate("typeof window.ttq") == "undefined"
        assert browser_events(tiktok_standin, 0) == []
        assert console_errors == []

    def test_an_answer_without_a_page_load_lets_everything_go(
        self, open_site: Any, page: Page, tiktok_standin: StandIn, tiktok_deliver: Any, console_errors: list[str]
    ) -> None:
        open_site("/lead/?event_id=lead-7", CONSENT=ASKED)
        assert states() == ["awaiting_consent"]
        with page.expect_response("**/tiktok/consent/"):
            page.evaluate("tiktokAttribution.consent(true)")
        assert browser_events(tiktok_standin, 2) == ["Lead", "Pageview"]
        tiktok_deliver()
        (merged,) = tiktok_standin.ledger.merged()
        assert (merged.event_id, merged.counted, console_errors) == ("lead-7", 1, [])
        assert page.evaluate("document.cookie").count("tiktok_consent=granted") == 1

    def test_a_tag_of_the_page_waits_for_the_answer(self, open_site: Any, page: Page, tiktok_standin: StandIn) -> None:
        open_site("/contact/", CONSENT=ASKED)
        page.evaluate("tiktokAttribution.consent(true)")
        assert browser_events(tiktok_standin, 2) == ["Contact", "Pageview"]

    def test_a_denial_is_the_end_of_it(self, open_site: Any, page: Page, tiktok_standin: StandIn) -> None:
        open_site("/lead/?event_id=lead-8", CONSENT=ASKED)
        with page.expect_response("**/tiktok/consent/"):
            page.evaluate("tiktokAttribution.consent(false)")
        settle(page)
        assert (states(), browser_events(tiktok_standin, 0)) == ([], [])
        page.reload()
        assert page.evaluate("typeof window.ttq") == "undefined"

    def test_a_withdrawal_revokes_in_the_page(self, open_site: Any, page: Page, tiktok_standin: StandIn) -> None:
        open_site("/page/", CONSENT=ASKED)
        page.evaluate("tiktokAttribution.consent(true)")
        assert browser_events(tiktok_standin, 1) == ["Pageview"]
        page.evaluate(
            "ttq.revoked = 0; const was = ttq.revokeConsent; ttq.revokeConsent = () => { ttq.revoked++; was(); }"
        )
        page.evaluate("tiktokAttribution.consent(false)")
        assert page.evaluate("ttq.revoked") >= 1

    def test_a_held_pixel_is_loaded_and_holds_until_the_answer(
        self, open_site: Any, page: Page, tiktok_standin: StandIn, console_errors: list[str]
    ) -> None:
        open_site("/contact/", CONSENT=ASKED, HOLD_CONSENT=True)
        settle(page)
        assert sum(tiktok_standin.notes.script_loads().values()) == 1
        assert browser_events(tiktok_standin, 0) == []
        page.evaluate("tiktokAttribution.consent(true)")
        assert browser_events(tiktok_standin, 2) == ["Contact", "Pageview"]
        assert console_errors == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("consent", [None, ASKED], ids=["not asked", "granted"])
@pytest.mark.parametrize(
    ("signal", "keys", "effect"),
    [
        ("", {}, "sent"),
        ("globalPrivacyControl", {}, "nothing"),
        ("globalPrivacyControl", {"ON_GPC": "limited_data_use"}, "limited"),
        ("globalPrivacyControl", {"ON_GPC": "ignore"}, "sent"),
        ("doNotTrack", {}, "nothing"),
        ("doNotTrack", {"ON_DNT": "limited_data_use"}, "limited"),
        ("doNotTrack", {"ON_DNT": "ignore"}, "sent"),
        ("no_ads", {"OPT_OUT": {"cookie": "no_ads"}}, "nothing"),
        ("no_ads", {"OPT_OUT": {"cookie": "no_ads", "effect": "limited_data_use"}}, "limited"),
    ],
)
def test_a_signal_reaches_the_pixel_call(  # noqa: PLR0917 -- fixtures
    open_site: Any,
    page: Page,
    live_server: Any,
    tiktok_standin: StandIn,
    consent: Any,
    signal: str,
    keys: dict[str, Any],
    effect: str,
) -> None:
    value = {"doNotTrack": '"1"', "globalPrivacyControl": "true"}.get(signal)
    if value:
        page.add_init_script(f"Object.defineProperty(navigator, {json.dumps(signal)}, {{get: () => {value}}})")
    cookies = {"tiktok_consent": "granted", **({signal: "1"} if signal == "no_ads" else {})}
    page.context.add_cookies([{"name": one, "value": text, "url": live_server.url} for one, text in cookies.items()])
    open_site("/contact/", CONSENT=consent, **keys)
    if effect == "nothing":
        settle(page)
        assert browser_events(tiktok_standin, 0) == []
        return
    assert browser_events(tiktok_standin, 2) == ["Contact", "Pageview"]
    found = tiktok_standin.ledger.arrivals("browser")
    assert {one.limited_data_use for one in found} == {effect == "limited"}


@pytest.mark.django_db(transaction=True)
def test_a_cached_page_does_what_each_visitor_wants(
    open_site: Any, page: Page, live_server: Any, tiktok_standin: StandIn
) -> None:
    open_site("/cached/", CONSENT=ASKED)
    cached = Client().get("/cached/").content
    assert Client(HTTP_COOKIE="tiktok_consent=granted").get("/cached/").content == cached
    settle(page)
    assert browser_events(tiktok_standin, 0) == []
    page.context.add_cookies([{"name": "tiktok_consent", "value": "granted", "url": live_server.url}])
    page.reload()
    assert browser_events(tiktok_standin, 1) == ["Pageview"]
