"""The pytest plugin: installed with the app, found by its entry point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.utils.module_loading import import_string

from tiktok_attribution import conf, in_tests
from tiktok_attribution.testing.server import StandIn

PIXEL_CODE, ACCESS_TOKEN = "C0STANDIN", "0" * 40
"""For sites that take theirs from an environment that a test run doesn't have."""


def pytest_configure(config: pytest.Config) -> None:
    """From here on nothing of this app leaves the process unless a test asks for it: see `in_tests`."""
    in_tests.note_pytest(runs=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process goes on without tests: a program that called `pytest.main()`."""
    in_tests.note_pytest(runs=False)


@pytest.fixture
def tiktok_standin(settings: Any) -> Iterator[StandIn]:
    """A stand-in for TikTok on loopback, with the settings pointed at it for this test.

    `tiktok_standin.ledger` tells what arrived, `tiktok_standin.faults` makes it fail. A PIXEL_CODE or
    ACCESS_TOKEN that is empty is filled. Needs pytest-django.
    """
    with StandIn() as standin:
        own = {"API_URL": standin.api_url, "PIXEL_HOST": standin.pixel_host}
        settings.TIKTOK_ATTRIBUTION = {**_filled(getattr(settings, conf.SETTING, None) or {}), **own}
        yield standin


def _filled(given: Mapping[str, Any]) -> dict[str, Any]:
    """With a pixel and tokens where there are none; callables are left to answer for themselves."""
    written = {key: one for key, one in given.items() if one is not None or key not in ("PIXEL_CODE", "ACCESS_TOKEN")}
    settings = conf.read(written)
    mistaken = {problem.key for problem in settings.problems}
    if not {"PIXEL_CODE", "PIXEL_FOR_REQUEST"} & mistaken and not (settings.pixel_code or settings.pixel_for_request):
        written["PIXEL_CODE"] = PIXEL_CODE
    if "ACCESS_TOKEN" not in mistaken:
        written["ACCESS_TOKEN"] = _tokens(settings.access_token, settings.pixel_code or (PIXEL_CODE,))
    return written


def _tokens(given: Any, pixel_codes: tuple[str, ...]) -> Any:
    if isinstance(given, Mapping):
        return {code: given.get(code) or ACCESS_TOKEN for code in (*given, *pixel_codes)}
    return given or ACCESS_TOKEN


@pytest.fixture
def tiktok_deliver(tiktok_standin: StandIn) -> Callable[[], Any]:
    """Send what is due, as the worker does: `tiktok_deliver()` returns how many ended in which state.

    An event whose lines were saved after it is built again first, as the commit does it: a test's transaction has none.
    It brings `tiktok_standin` along, so that no test sends anything to TikTok itself.
    """
    # By its name: it reaches models, and pytest loads this file before Django is set up.
    finish_everywhere: Callable[..., int] = import_string("tiktok_attribution.conversions.finishing.finish_everywhere")
    deliver_all: Callable[[], Any] = import_string("tiktok_attribution.delivery.pixel_sender.deliver_all")

    def deliver() -> Any:
        finish_everywhere(after_seconds=0)
        return deliver_all()

    return deliver
