"""A page that Chromium really prerenders: Playwright switches that off, its own driver does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.arrivals import seen
from tests.browser.test_fetched_ahead_in_chromium import site as site  # noqa: PLC0414 -- a fixture, with both kinds of page
from tests.web.browsers import Browser, NoBrowser, opened
from tiktok_attribution.models import OutboxEvent, SuppressedCount
from tiktok_attribution.testing.server import StandIn

pytestmark = [pytest.mark.web, pytest.mark.on_engine("sqlite")]

SPECULATES = """
const rules = document.createElement("script");
rules.type = "speculationrules";
rules.textContent = JSON.stringify({prerender: [{urls: ["/lead-page/"], eagerness: "immediate"}]});
document.head.append(rules);
"""


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.browser.site"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def chromium_itself(tmp_path: Path) -> Iterator[Browser]:
    try:
        with opened("chromium") as browser:
            yield browser
    except NoBrowser as missing:
        pytest.skip(f"not on this machine: {missing}")


def test_it_counts_when_it_is_opened_and_not_before(site: str, standin: StandIn, chromium_itself: Browser) -> None:
    chromium_itself.open(f"{site}/page/")
    assert seen(standin, 1) == [("C0SHOP", "Pageview")]
    chromium_itself.run(SPECULATES)
    chromium_itself.wait_for(SuppressedCount.objects.filter(reason="prefetch").exists)
    assert seen(standin, 1) == [("C0SHOP", "Pageview")]
    assert standin.notes.script_loads() == {"C0SHOP": 1}
    assert OutboxEvent.objects.count() == 0
    chromium_itself.follow(f"{site}/lead-page/")
    started = "return performance.getEntriesByType('navigation')[0].activationStart"
    assert chromium_itself.run(started) > 0  # it is the prerendered page
    assert [name for _, name in seen(standin, 3)] == ["Lead", "Pageview", "Pageview"]
    chromium_itself.wait_for(OutboxEvent.objects.filter(event_id="lead-1", browser_at__isnull=False).exists)
    assert chromium_itself.errors() == []
