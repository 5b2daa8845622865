"""A clock set by hand, and delivery to a client whose answers a test writes down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.delivery.samples import PIXEL, FakeClient, HandClock
from tiktok_attribution.delivery import pixel_sender
from tiktok_attribution.delivery.results import Counts

Deliver = Callable[..., Counts]
Configure = Callable[..., None]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def configure(settings: Any) -> Configure:
    """`configure(BATCH_SIZE=10)` changes keys of TIKTOK_ATTRIBUTION for this test."""

    def change(**keys: Any) -> None:
        settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **keys}

    return change


@pytest.fixture
def deliver(clock: HandClock) -> Deliver:
    """Send what is due by the hand clock, for one pixel."""

    def run(pixel_code: str = PIXEL, **options: Any) -> Counts:
        return pixel_sender.deliver(pixel_code, using="default", clock=clock, **options)

    return run


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """In the place of the HTTP client; set `client.answer`."""
    fake = FakeClient()
    monkeypatch.setattr(pixel_sender, "Client", fake)
    return fake
