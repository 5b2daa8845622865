"""Switches attribution on for one test, and declares what counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

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


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """A second database for this test: SQLite, whatever the first one is."""
    given = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "other.sqlite3")}
    connections.settings["other"] = connections.configure_settings({"default": {}, "other": given})["other"]
    try:
        connections["other"].connect()
        call_command("migrate", database="other", run_syncdb=True, verbosity=0)
        yield "other"
    finally:
        connections["other"].close()
        del connections["other"]
        del connections.settings["other"]
