"""Admins who can be written to, receivers who listen, and a clock that is moved a minute at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from tests.admin.samples import with_settings
from tiktok_attribution.models import Notice
from tiktok_attribution.notices.telling import notify_all
from tiktok_attribution.signals import trouble_began, trouble_ended

Heard = list[tuple[str, str, str]]


@pytest.fixture
def admins(settings: Any) -> None:
    settings.ADMINS = [("Ann", "ann@shop.example")]
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://shop.example")


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What receivers of both signals were told: "began" or "ended", the pixel, the trouble."""
    told: Heard = []

    def listen(word: str) -> Callable[..., None]:
        def receive(sender: type[Notice], notice: Notice, using: str, **rest: Any) -> None:
            told.append((word, notice.pixel_code, notice.trouble))

        return receive

    signals: list[tuple[Signal, Any]] = [(trouble_began, listen("began")), (trouble_ended, listen("ended"))]
    for signal, receive in signals:
        signal.connect(receive)
    yield told
    for signal, receive in signals:
        signal.disconnect(receive)


@pytest.fixture
def minutes_later() -> Callable[[float], None]:
    """`minutes_later(n)`: the sweep, n minutes from now."""

    def sweep(minutes: float = 0) -> None:
        notify_all(now=time.time() + 60 * minutes)

    return sweep
