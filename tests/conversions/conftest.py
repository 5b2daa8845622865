"""Declares conversions for one test, and reads what the outbox holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conversions import models  # noqa: F401 -- made before the test database is
from tests.conversions.samples import PIXEL
from tiktok_attribution import Conversion
from tiktok_attribution.conversions import receivers, registry

Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """`configure(order={…}, MODE="standard")`: conversions of the shop's order, and other keys of the settings."""

    def configure(order: Any = None, conversions: Any = None, **keys: Any) -> None:
        declared = conversions or ({} if order is None else {"shop.Order": order})
        plain = {"PIXEL_CODE": PIXEL, "ACCESS_TOKEN": "0" * 40, "SITE_URL": "https://shop.example"}
        settings.TIKTOK_ATTRIBUTION = {**plain, "CONVERSIONS": declared, **keys}

    configure()
    return configure


@pytest.fixture
def register(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`register(Order)(OrderPurchase)`, for this test only; the last one registered is watched at once."""
    mine: list[Conversion] = []
    monkeypatch.setattr(registry, "_registered", mine)

    def register(*watched: Any) -> Callable[[Any], Any]:
        def decorate(declared: Any) -> Any:
            registry.register(*watched)(declared)
            receivers.connect()
            return declared

        return decorate

    return register
