"""A site whose visitors are asked, and what is left in its tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tiktok_attribution.conversions import receivers
from tiktok_attribution.models import OutboxEvent, SuppressedCount

PIXEL = "C0EXAMPLE0000000000"
PURCHASE = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "user": {"email": "email"},
}
ASKED = {"cookie": "tiktok_consent"}


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.consent.site"


@pytest.fixture
def configure(settings: Any) -> Callable[..., None]:
    """`configure(CONSENT=…)`: the settings of this test."""
    plain = dict(settings.TIKTOK_ATTRIBUTION)

    def configure(**keys: Any) -> None:
        base = {"SITE_URL": "https://shop.example", "CONVERSIONS": {"shop.Order": PURCHASE}}
        settings.TIKTOK_ATTRIBUTION = {**plain, **getattr(settings, "TIKTOK_ATTRIBUTION", {}), **base, **keys}
        receivers.connect()

    return configure


def counts() -> dict[str, int]:
    """How many were dropped, by reason."""
    found: dict[str, int] = {}
    for row in SuppressedCount.objects.all():
        found[row.reason] = found.get(row.reason, 0) + row.count
    return found


def states() -> list[str]:
    """The states of all events, in the order of their making."""
    return list(OutboxEvent.objects.order_by("pk").values_list("state", flat=True))
