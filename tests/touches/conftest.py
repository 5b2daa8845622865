"""A site with attribution on, and a visitor's browser that lands on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from tiktok_attribution.models import LandingCount
from tiktok_attribution.touches.counting import counts

AGENT = "Mozilla/5.0 (X11; Linux x86_64)"
REFERRER = "https://www.tiktok.com/"
CLICK = "ttclid=E.C.P.click-1"
UTM = "utm_source=TikTok&utm_medium=Paid&utm_campaign=Spring"

Configure = Callable[..., None]
Land = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def configure(settings: Any) -> Configure:
    """`configure(CONSENT=…)`: more settings of this test."""
    cache.clear()
    settings.ROOT_URLCONF = "tests.consent.site"

    def configure(**keys: Any) -> None:
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **keys}

    configure(ATTRIBUTION=True, SITE_URL="https://shop.example")
    return configure


@pytest.fixture
def land(client: Client) -> Land:
    """`land("ttclid=…")`: open a page with this query, as a browser that comes from TikTok."""

    def land(query: str = CLICK, path: str = "/page/", browser: Client | None = None, **headers: Any) -> HttpResponse:
        given = {"HTTP_USER_AGENT": AGENT, "HTTP_REFERER": REFERRER, **headers}
        answer: HttpResponse = (browser or client).get(f"{path}?{query}", **given)  # type: ignore[assignment]
        return answer

    return land


def outcomes() -> dict[str, int]:
    """How many landings were counted, by outcome."""
    counts.flush()
    found: dict[str, int] = {}
    for row in LandingCount.objects.all():
        found[row.outcome] = found.get(row.outcome, 0) + row.count
    return found
