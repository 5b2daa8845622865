"""Admins who can be written to, receivers who listen, and a clock that is moved a minute at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from django.dispatch import Signal

from tests.admin.samples import with_settings
from tiktok_attribution.models import Alert
from tiktok_attribution.monitoring.alerts import notify_all
from tiktok_attribution.signals import alert_closed, alert_opened

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"
Heard = list[tuple[str, str, str]]


@pytest.fixture
def admins(settings: Any) -> None:
    settings.ADMINS = ["ann@shop.example"] if django.VERSION >= (6,) else [("Ann", "ann@shop.example")]
    settings.TIKTOK_ATTRIBUTION = with_settings(SITE_URL="https://shop.example")


@pytest.fixture
def mail_server(settings: Any) -> Callable[..., None]:
    """`mail_server(backend, host=…, port=…)` lets letters go there; without a backend they are kept in memory."""

    def use(backend: str = LOCMEM, **options: Any) -> None:
        if django.VERSION >= (6, 1):
            settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
        else:
            settings.EMAIL_BACKEND = backend
            for name, value in options.items():
                setattr(settings, f"EMAIL_{name.upper()}", value)

    return use


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What receivers of both signals were told: "began" or "ended", the pixel, the trouble."""
    told: Heard = []

    def listen(word: str) -> Callable[..., None]:
        def receive(sender: type[Alert], alert: Alert, using: str, **rest: Any) -> None:
            told.append((word, alert.pixel_code, alert.alert_kind))

        return receive

    signals: list[tuple[Signal, Any]] = [(alert_opened, listen("began")), (alert_closed, listen("ended"))]
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
