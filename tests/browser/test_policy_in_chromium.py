"""A strict Content-Security-Policy with a report endpoint: everything works, and nobody reports anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from csp.constants import NONCE, NONE, SELF

from tests.browser.arrivals import arrived, seen
from tests.browser.site import csp_reports
from tiktok_attribution.csp import CSP_SOURCES, with_tiktok
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.server import StandIn

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

DJANGO_CSP = "csp.middleware.CSPMiddleware"
DJANGO = "django.middleware.csp.ContentSecurityPolicyMiddleware"
STRICT = {"default-src": [NONE], "connect-src": [SELF], "img-src": ["data:"], "report-uri": "/csp-report/"}


@pytest.fixture(autouse=True)
def _no_reports() -> Iterator[None]:
    csp_reports.clear()
    yield
    csp_reports.clear()


@pytest.fixture(params=[DJANGO_CSP, pytest.param(DJANGO, marks=pytest.mark.since_django("6.0"))])
def middleware(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def site(live_server: Any, settings: Any, standin: StandIn, middleware: str) -> Any:
    """`site(script_src, page_script=…)` serves under this policy; returns the address."""

    def serve(*script_src: Any, page_script: bool, allowed: bool = True) -> str:
        of_standin = {name: [standin.url] for name in CSP_SOURCES} if allowed else {}
        if middleware == DJANGO:
            script_src = tuple("<CSP_NONCE_SENTINEL>" if source is NONCE else source for source in script_src)
        policy = with_tiktok({**STRICT, "script-src": list(script_src)}, of_standin)
        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy}
        settings.SECURE_CSP = policy
        settings.POLICY_MIDDLEWARE = middleware
        settings.ROOT_URLCONF = "tests.browser.strict_site"
        settings.TIKTOK_ATTRIBUTION = {
            "PIXEL_CODE": "C0SHOP",
            "ACCESS_TOKEN": "token",
            "PIXEL_HOST": standin.pixel_host,
            "SITE_URL": live_server.url,
            "PAGE_SCRIPT": page_script,
        }
        return str(live_server.url)

    return serve


def test_without_inline_code_no_nonce_is_needed(
    site: Any, standin: StandIn, page: Page, console_errors: list[str]
) -> None:
    address = site(SELF, page_script=True)
    page.goto(f"{address}/lead/")
    page.goto(f"{address}/template/?" + urlencode({"body": '<button {% tiktok_action "Contact" %}>Write</button>'}))
    page.click("button")
    assert [name for _, name in seen(standin, 4)] == ["Contact", "Lead", "Pageview", "Pageview"]
    page.wait_for_timeout(300)
    assert OutboxEvent.objects.filter(browser_confirmed_at__isnull=False).count() == 2
    assert (csp_reports, console_errors) == ([], [])


def test_a_nonce_alone_is_enough(site: Any, standin: StandIn, page: Page, console_errors: list[str]) -> None:
    address = site(NONCE, "'strict-dynamic'", page_script=True)
    page.goto(f"{address}/lead/")
    assert [name for _, name in seen(standin, 2)] == ["Lead", "Pageview"]
    page.wait_for_timeout(300)
    assert (csp_reports, console_errors) == ([], [])


def test_inline_code_has_the_pages_nonce(site: Any, standin: StandIn, page: Page, console_errors: list[str]) -> None:
    address = site(NONCE, page_script=False)
    page.goto(f"{address}/lead/")
    assert [name for _, name in seen(standin, 2)] == ["Lead", "Pageview"]
    page.wait_for_timeout(300)
    assert (csp_reports, console_errors) == ([], [])


def test_a_policy_that_forbids_tiktok_is_reported_and_breaks_no_page(site: Any, standin: StandIn, page: Page) -> None:
    """The endpoint is heard, so its silence above means something."""
    address = site(SELF, page_script=True, allowed=False)
    page.goto(f"{address}/page/")
    for _ in range(50):
        if csp_reports:
            break
        page.wait_for_timeout(50)
    assert "events.js" in csp_reports[0]
    assert page.title() == "Page"
    assert arrived(standin, 0) == []
