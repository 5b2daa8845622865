"""The pytest plugin. Its entry point is installed with the app, so pytest finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.utils.module_loading import import_string

from tiktok_attribution import conf, in_tests
from tiktok_attribution.testing.server import StandIn

PIXEL_CODE, ACCESS_TOKEN = "C0STANDIN", "0" * 40
"""For sites that read their own from an environment that a test run does not have."""


def pytest_configure(config: pytest.Config) -> None:
    """From now on nothing of this app leaves the process, unless a test asks for it: see `in_tests`."""
    in_tests.note_pytest(runs=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Note the end of the tests, for a program that called `pytest.main()` and goes on."""
    in_tests.note_pytest(runs=False)


@pytest.fixture
def tiktok_standin(settings: Any) -> Iterator[StandIn]:
    """Start a stand-in for TikTok on loopback, and point the settings at it for this test.

    `tiktok_standin.ledger` has what arrived, `tiktok_standin.faults` makes requests fail, `tiktok_standin.marketing`
    has accounts and their spend. An empty PIXEL_CODE or ACCESS_TOKEN is filled in. Needs pytest-django.
    """
    with StandIn() as standin:
        own = {"API_URL": standin.api_url, "PIXEL_HOST": standin.pixel_host}
        own["MARKETING_API_URL"] = standin.marketing_api_url
        settings.TIKTOK_ATTRIBUTION = {**_filled(getattr(settings, conf.SETTING, None) or {}), **own}
        yield standin


def _filled(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in a pixel and tokens if there are none. Callables stay as they are."""
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
    """Return a function that sends what is due, as the worker does, and returns the number of events by state.

    It first builds events again whose lines were saved after them. A commit does this otherwise, but a test's
    transaction has no commit. It uses `tiktok_standin`, so no test sends anything to TikTok itself.
    """
    # Imported by name: it needs models, and pytest loads this file before Django is set up.
    finish_everywhere: Callable[..., int] = import_string("tiktok_attribution.conversions.finishing.finish_everywhere")
    deliver_all: Callable[[], Any] = import_string("tiktok_attribution.delivery.pixel_sender.deliver_all")

    def deliver() -> Any:
        finish_everywhere(after_seconds=0)
        return deliver_all()

    return deliver
