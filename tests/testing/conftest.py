"""A running stand-in with a clock set by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testing.samples import HandClock
from tiktok_attribution.testing.server import StandIn


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def standin(clock: HandClock) -> Iterator[StandIn]:
    with StandIn(clock=clock) as running:
        yield running
