"""A browser of each engine, and the example shop for it to visit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.example.conftest import demo, stage  # noqa: F401 -- fixtures
from tests.web.browsers import ENGINES, Browser, NoBrowser, opened, screen
from tests.web.visitor import Visitor


@pytest.fixture(scope="session")
def display() -> Iterator[None]:
    try:
        with screen():
            yield
    except NoBrowser as missing:
        pytest.skip(f"not on this machine: {missing}")


@pytest.fixture(params=list(ENGINES))
def browser(request: pytest.FixtureRequest, display: None) -> Iterator[Browser]:
    """One of a fresh profile: no cookie, no storage, no cache of another test."""
    try:
        with opened(request.param) as browser:
            yield browser
    except NoBrowser as missing:
        pytest.skip(f"not on this machine: {missing}")


@pytest.fixture
def visitor(stage: Any, browser: Browser) -> Visitor:  # noqa: F811
    return Visitor(stage, browser)
