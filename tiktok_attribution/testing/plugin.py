"""The pytest plugin: installed with the app, found by its entry point."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils.module_loading import import_string

from tiktok_attribution.testing.server import StandIn

MADE_UP = {"PIXEL_CODE": "C0TEST00000000000000", "ACCESS_TOKEN": "a-token-for-tests"}


@pytest.fixture
def tiktok_standin(settings: Any) -> Iterator[StandIn]:
    """A stand-in for TikTok on loopback, with the settings pointed at it for this test.

    `tiktok_standin.ledger` tells what arrived, `tiktok_standin.faults` makes it fail. A token and a pixel code that the
    settings leave empty, as where the environment has them, are made up. Needs pytest-django.
    """
    with StandIn() as standin:
        own = {"API_URL": standin.api_url, "PIXEL_HOST": standin.pixel_host}
        theirs = getattr(settings, "TIKTOK_ATTRIBUTION", {})
        made_up = {key: value for key, value in MADE_UP.items() if not theirs.get(key)}
        settings.TIKTOK_ATTRIBUTION = {**theirs, **made_up, **own}
        yield standin


@pytest.fixture
def tiktok_deliver(tiktok_standin: StandIn) -> Callable[[], Any]:
    """Send what is due, as the worker does: `tiktok_deliver()` returns how many ended in which state.

    To the stand-in, whether the test asks for it or not: no test sends anything to TikTok by this.
    """
    # By its name: it reaches models, and pytest loads this file before Django is set up.
    deliver_all: Callable[[], Any] = import_string("tiktok_attribution.delivery.send.deliver_all")
    return deliver_all
