from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.delivery.samples import NOW, PIXEL, row
from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.metrics import TikTokCollector


@pytest.mark.django_db
def test_the_figures_are_scraped_with_pixel_and_database() -> None:
    row(1, due_at=NOW).save()
    pixels.stop("default", PIXEL, Answer(code=40105, message="Access token is incorrect"), token="old")
    registry = CollectorRegistry()
    registry.register(TikTokCollector())

    scraped = generate_latest(registry).decode()
    assert f'tiktok_attribution_waiting{{database="default",pixel="{PIXEL}"}} 1.0' in scraped
    assert f'tiktok_attribution_stopped{{database="default",pixel="{PIXEL}"}} 1.0' in scraped


def test_registering_needs_no_database() -> None:
    CollectorRegistry().register(TikTokCollector())
