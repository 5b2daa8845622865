"""The pytest plugin: installed with the app, found by its entry point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tiktok_attribution.testing.server import StandIn

# The app's modules reach models, and pytest loads this file before Django is set up; so the imports wait in the
# fixtures. Nothing here goes round in a circle.


@pytest.fixture
def tiktok_standin(settings: Any) -> Iterator[StandIn]:
    """A stand-in for TikTok on loopback, with the settings pointed at it for this test.

    `tiktok_standin.ledger` tells what arrived, `tiktok_standin.faults` makes it fail. Needs pytest-django.
    """
    from tiktok_attribution.testing.server import StandIn  # noqa: PLC0415

    with StandIn() as standin:
        own = {"API_URL": standin.api_url, "PIXEL_HOST": standin.pixel_host}
        settings.TIKTOK_ATTRIBUTION = {**getattr(settings, "TIKTOK_ATTRIBUTION", {}), **own}
        yield standin


@pytest.fixture
def tiktok_deliver() -> Any:
    """Send what is due, as the worker does: `tiktok_deliver()` returns how many ended in which state."""
    from tiktok_attribution.delivery.send import deliver_all  # noqa: PLC0415

    return deliver_all
