"""Which tests belong to a run (by engine, Django version, touching data, a release to come), and in which order.

Tests that do not belong are deselected and not skipped, for a skip means that something is missing.
"""

from __future__ import annotations

import django
import pytest
from django.db import connection
from django.test import TransactionTestCase

CHOSEN_BY_NAME = ("release", "web", "packaging")  # they run where -m names them, and nowhere else
ENGINE_OF_VENDOR = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mariadb"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data-only", action="store_true", help="only the tests that touch the database")


def pytest_report_header() -> str:
    return f"engine: {engine_of_this_run()}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        (kept if _belongs(item, config) else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = sorted(kept, key=_turn)


def engine_of_this_run() -> str:
    return ENGINE_OF_VENDOR[connection.vendor]


def _turn(item: pytest.Item) -> int:
    """What goes on beside the others begins first and is waited for last.

    Browser tests come late: Playwright keeps an event loop running in the main thread, where async tests then could not
    have theirs.
    """
    turns = {"begins": 0, "browser": 2, "ends": 3}
    return next((turn for marker, turn in turns.items() if item.get_closest_marker(marker)), 1)


def _belongs(item: pytest.Item, config: pytest.Config) -> bool:
    chosen = config.getoption("markexpr")
    if any(item.get_closest_marker(name) and name not in chosen for name in CHOSEN_BY_NAME):
        return False
    engines = item.get_closest_marker("on_engine")
    if engines is not None and engine_of_this_run() not in engines.args:
        return False
    since = item.get_closest_marker("since_django")
    if since is not None and tuple(map(int, since.args[0].split("."))) > django.VERSION[:2]:
        return False
    return _touches_data(item) or not config.getoption("--data-only")


def _touches_data(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    if item.cls is not None and issubclass(item.cls, TransactionTestCase):
        return True
    fixtures = {"db", "transactional_db"} & set(item.fixturenames)
    return bool(fixtures) or item.get_closest_marker("django_db") is not None
