"""The matrix once more, with a real browser: what the page loads, and what TikTok hears on the browser's channel.

Each cell for the inline page and for the page script, with an event of the page itself and one from the request before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.consent.cells import CELLS, CONSENTS, SIGNALS, Signal, fate
from tests.consent.conftest import states
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.privacy, pytest.mark.django_db(transaction=True)]

BODY = '{% tiktok_event "Contact" %}'
ACTION = '<button {% tiktok_action "Subscribe" %}>Subscribe</button>'
NAVIGATOR = {"HTTP_SEC_GPC": "globalPrivacyControl", "HTTP_DNT": "doNotTrack"}


@pytest.fixture
def visit(page: Page, live_server: Any) -> Callable[..., None]:
    """`visit(signal, answer, body)`: this visitor sends a form that is an event, then opens a page of this body."""

    def visit(signal: Signal, answer: str, body: str) -> None:
        cookies = {**signal.cookies, **({"tiktok_consent": answer} if answer else {})}
        if cookies:
            page.context.add_cookies(
                [{"name": name, "value": value, "url": live_server.url} for name, value in cookies.items()]
            )
        for header, value in signal.headers.items():
            name = NAVIGATOR[header]
            seen = "true" if value == "1" else "false"
            text = f"'{value}'" if name == "doNotTrack" else seen
            page.add_init_script(f"Object.defineProperty(navigator, '{name}', {{get: () => {text}}})")
        names = {header.removeprefix("HTTP_").replace("_", "-"): value for header, value in signal.headers.items()}
        if "1" in names.values():  # Chromium lets no test send "Sec-GPC: 0" to another site
            page.set_extra_http_headers(names)
        page.request.get(f"{live_server.url}/lead/", headers=names, max_redirects=0)
        page.goto(f"{live_server.url}/template/?{urlencode({'body': body})}", wait_until="load")

    return visit


@pytest.mark.parametrize("page_script", [False, True], ids=["inline", "page script"])
@pytest.mark.parametrize(("consent", "mode", "name"), CELLS)
def test_every_cell_of_the_browsers_channel(  # noqa: PLR0917 -- fixtures
    page_script: bool,
    consent: str,
    mode: str,
    name: str,
    configure: Callable[..., None],
    visit: Callable[..., None],
    page: Page,
    tiktok_standin: StandIn,
    console_errors: list[str],
) -> None:
    setting, answer = CONSENTS[consent]
    signal = SIGNALS[name]
    own = {"STANDARD_MODE_SERVER_EVENTS": ["Lead"], "PAGE_SCRIPT": page_script}
    configure(CONSENT=setting, MODE=mode, **own, **signal.settings)
    expected = fate(consent, signal.effect)
    visit(signal, answer, BODY + ACTION if page_script else BODY)
    if page_script:
        page.click("button")

    if expected != "sent":
        addresses = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
        assert [one for one in addresses if one.startswith(tiktok_standin.url)] == []
        assert page.evaluate("typeof window.ttq") == "undefined"
        assert tiktok_standin.ledger.arrivals() == []
        assert states() == (["held"] if expected == "held" else [])
    else:
        in_page = ["Contact", "Lead", *(["Subscribe"] if page_script else [])] if mode == "developer" else []
        wanted = sorted([*in_page, "Pageview"])
        tiktok_standin.ledger.wait_for(lambda ledger: len(ledger.arrivals("browser")) >= len(wanted))
        found = tiktok_standin.ledger.arrivals("browser")
        assert sorted(one.event for one in found) == wanted
        assert {one.limited_data_use for one in found} == {signal.effect == "limit"}
    assert console_errors == []
