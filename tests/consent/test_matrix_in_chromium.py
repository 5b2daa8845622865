"""The matrix once more, with a real browser: what the page loads, and what TikTok hears on the browser's channel.

Each cell for the inline page and for the page script, with an event of the page itself and one from the request before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.consent.cells import CONSENTS, MODES, SIGNALS, Signal, fate
from tests.consent.conftest import states
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.arrivals import Arrival
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.privacy, pytest.mark.django_db(transaction=True)]

BODY = '{% tiktok_event "Contact" %}'
ACTION = '<button {% tiktok_action "Subscribe" %}>Subscribe</button>'
NAVIGATOR = {"HTTP_SEC_GPC": "globalPrivacyControl", "HTTP_DNT": "doNotTrack"}
SEEN = {
    ("HTTP_SEC_GPC", "1"): "true",
    ("HTTP_SEC_GPC", "0"): "false",
    ("HTTP_DNT", "1"): "'1'",
}


@pytest.fixture
def visit(chromium: Browser, live_server: Any, console_errors: list[str]) -> Iterator[Callable[..., Page]]:
    """`visit(signal, answer, body)`: somebody new sends a form that is an event, then opens a page of this body."""
    context = chromium.new_context()

    def visit(signal: Signal, answer: str, body: str) -> Page:
        context.clear_cookies()
        cookies = {**signal.cookies, **({"tiktok_consent": answer} if answer else {})}
        for name, value in cookies.items():
            context.add_cookies([{"name": name, "value": value, "url": live_server.url}])
        page = context.new_page()
        page.add_init_script("localStorage.clear()")  # somebody new: no event of an earlier cell has fired here
        page.on("console", lambda message: console_errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: console_errors.append(str(error)))
        headers = {key.removeprefix("HTTP_").replace("_", "-"): value for key, value in signal.headers.items()}
        for header, value in signal.headers.items():
            page.add_init_script(
                f"Object.defineProperty(navigator, '{NAVIGATOR[header]}', {{get: () => {SEEN[header, value]}}})"
            )
        if "1" in headers.values():  # Chromium lets no test send "Sec-GPC: 0" to another site
            page.set_extra_http_headers(headers)
        page.request.get(f"{live_server.url}/lead/", headers=headers, max_redirects=0)
        page.goto(f"{live_server.url}/template/?{urlencode({'body': body})}", wait_until="load")
        return page

    yield visit
    context.close()


def settled(name: str) -> None:
    """Wait for the server event of a click: its beacon must not arrive in the cell after this one."""
    deadline = time.monotonic() + 20
    while not OutboxEvent.objects.filter(name=name).exists():
        assert time.monotonic() < deadline, f"no {name} was recorded"
        time.sleep(0.02)


def heard(standin: StandIn, number: int) -> list[Arrival]:
    standin.ledger.wait_for(lambda ledger: len(ledger.arrivals("browser")) >= number)
    return standin.ledger.arrivals("browser")


@pytest.mark.parametrize("page_script", [False, True], ids=["inline", "page script"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("consent", CONSENTS)
def test_every_cell_of_the_browsers_channel(  # noqa: PLR0917 -- fixtures
    page_script: bool,
    consent: str,
    mode: str,
    settings: Any,
    configure: Callable[..., None],
    visit: Callable[..., Page],
    tiktok_standin: StandIn,
    console_errors: list[str],
) -> None:
    """One browser for all signals, for to start one takes longer than a cell."""
    setting, answer = CONSENTS[consent]
    plain = dict(settings.TIKTOK_ATTRIBUTION)
    own = {"STANDARD_MODE_SERVER_EVENTS": ["Lead"], "PAGE_SCRIPT": page_script}
    for name, signal in SIGNALS.items():
        settings.TIKTOK_ATTRIBUTION = plain
        configure(CONSENT=setting, MODE=mode, **own, **signal.settings)
        tiktok_standin.reset()
        OutboxEvent.objects.all().delete()
        page = visit(signal, answer, BODY + ACTION if page_script else BODY)
        if page_script:
            page.click("button")

        expected = fate(consent, signal.effect)
        if expected != "sent":
            addresses = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
            assert [one for one in addresses if one.startswith(tiktok_standin.url)] == [], name
            assert page.evaluate("typeof window.ttq") == "undefined", name
            assert tiktok_standin.ledger.arrivals() == [], name
            assert states() == (["awaiting_consent"] if expected == "awaiting_consent" else []), name
        else:
            in_page = ["Contact", "Lead", *(["Subscribe"] if page_script else [])] if mode == "developer" else []
            wanted = sorted([*in_page, "Pageview"])
            found = heard(tiktok_standin, len(wanted))
            assert sorted(one.event for one in found) == wanted, name
            assert {one.limited_data_use for one in found} == {signal.effect == "limit"}, name
            if "Subscribe" in wanted:
                settled("Subscribe")
        page.close()
        assert console_errors == [], name
