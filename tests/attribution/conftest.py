"""Switches attribution on for one test, and declares what counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.attribution import models  # noqa: F401 -- made before the test database is
from tests.attribution.samples import PIXEL, PURCHASE
from tiktok_attribution.conversions import receivers

Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """`configure(declaration, PIXEL_CODE=…, join=("email",))`: capitals are settings, others keys of ATTRIBUTION."""

    def configure(declared: Any = PURCHASE, **keys: Any) -> None:
        own = {key: value for key, value in keys.items() if not key.isupper()}
        plain = {"PIXEL_CODE": PIXEL, "ACCESS_TOKEN": "0" * 40, "SITE_URL": "https://shop.example"}
        others = {key: value for key, value in keys.items() if key.isupper()}
        settings.TIKTOK_ATTRIBUTION = {
            **plain,
            "CONVERSIONS": {"shop.Sale": declared},
            "ATTRIBUTION": own or True,
            **others,
        }
        receivers.connect()

    configure()
    return configure
