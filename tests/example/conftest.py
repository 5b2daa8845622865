"""The demonstration as processes of its own, with its own settings and database."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from tests.example.shopper import Shopper

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EXAMPLE = Path(__file__).parents[2] / "example_project"


@pytest.fixture(scope="module")
def demo() -> Iterator[ModuleType]:
    """The example's package `demo`, importable while these tests run; it needs no Django."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE))
        for name in ("processes", "report", "scripted_visitor", "campaigns"):
            importlib.import_module(f"demo.{name}")
        yield sys.modules["demo"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "demo"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def stage(demo: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The demonstration, running, for all tests of a file."""
    with running(demo, tmp_path_factory.mktemp("var")) as stage:
        yield stage


@pytest.fixture
def shopper(stage: Any, chromium: Browser) -> Iterator[Shopper]:
    """A visitor of the shop with a browser of their own."""
    context = chromium.new_context()
    yield Shopper(stage, context)
    context.close()


@contextmanager
def running(demo: Any, var: Path) -> Iterator[Any]:
    """Shop, worker and stand-in; a `demo.processes.Stage`."""
    processes = demo.processes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRETENDPAY_DELAY_SECONDS", "0.5")
        stage = processes.Stage(var, processes.free_port(0), processes.free_port(0))
        try:
            stage.manage("migrate", "--verbosity", "0")
            stage.manage("seed")
            stage.start()
            yield stage
        finally:
            stage.end()
