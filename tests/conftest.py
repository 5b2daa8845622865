"""Engines, browser and child processes for every test; the rules of a run are in the plugins named here."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from django.db import connection
from hypothesis import settings as hypothesis_settings

from tests.engines.mariadb import mariadb
from tests.engines.postgres import postgres
from tests.engines.server import BACKENDS, DatabaseServer, MissingEngine
from tests.engines.valkey import valkey
from tests.worker import app as _celery_app  # noqa: F401 -- made the current Celery app, with its memory broker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

# Whoever has a slow or busy machine sees no failure that is only about time.
hypothesis_settings.register_profile("any machine", parent=hypothesis_settings(), deadline=None)
# The same examples each time: what a search finds by luck is no reason for a change beside it to be refused. `.ci/full`
# searches anew (HYPOTHESIS=search); what it finds becomes an @example.
hypothesis_settings.register_profile("steady", parent=hypothesis_settings.get_profile("any machine"), derandomize=True)
hypothesis_settings.load_profile("any machine" if os.environ.get("HYPOTHESIS") == "search" else "steady")

pytest_plugins = ["tests.emptying", "tests.loopback", "tests.required", "tests.selection"]

Server = TypeVar("Server")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The browser has no socket guard of ours: here no name but localhost resolves.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@pytest.fixture
def immediate(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as the system check wants it: for tests of a site about which there is nothing to say."""
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "transaction_mode", "IMMEDIATE")


@pytest.fixture(autouse=True)
def _no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does to the database is not remembered by the process for the next one."""
    monkeypatch.setattr("tiktok_attribution.delivery.outages._own", {})
    monkeypatch.setattr("tiktok_attribution.delivery.outages._lately", {})
    monkeypatch.setattr("tiktok_attribution.touches.counting.counts._waiting", Counter())
    monkeypatch.setattr("tiktok_attribution.touches.counting.counts._next", 0.0)


@contextmanager
def _or_skipped(engine: AbstractContextManager[Server]) -> Iterator[Server]:
    try:
        server = engine.__enter__()
    except MissingEngine as missing:
        pytest.skip(f"not on this machine: {missing}")
    try:
        yield server
    finally:
        engine.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[DatabaseServer]:
    with _or_skipped(postgres()) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[DatabaseServer]:
    with _or_skipped(mariadb()) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """Its URL, `redis://127.0.0.1:<port>`; shared, so a test takes a database number of its own."""
    with _or_skipped(valkey()) as url:
        yield url


@pytest.fixture
def child_environment(transactional_db: None) -> dict[str, str]:
    """The environment of a process that sees this test's database: a Celery worker, a manage.py command."""
    here = connection.settings_dict
    engine = next(name for name, backend in BACKENDS.items() if backend == here["ENGINE"])
    if engine == "sqlite":
        url = f"sqlite://{here['NAME']}"
    else:
        url = DatabaseServer(
            engine=engine,
            port=here["PORT"],
            user=here["USER"],
            password=here["PASSWORD"],
            database=here["NAME"],
        ).url()
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": url,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }


def chromium_program() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium; browser tests come last in a run, see `selection`."""
    program = chromium_program()
    if program is None:
        pytest.skip("not on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- slow to import, and few tests need it

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's synchronous API runs an event loop in this thread. Django sees the loop and refuses the
        # ORM, though nothing here is a coroutine; only while the browser runs is it told to look away.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def console_errors() -> list[str]:
    """What the pages of this test wrote to the console as an error, and what their scripts threw."""
    return []


@pytest.fixture
def page(chromium: Browser, console_errors: list[str]) -> Iterator[Page]:
    """A page of a fresh context: no cookie, no storage, no cache of another test."""
    context = chromium.new_context()
    context.set_default_timeout(10_000)

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            console_errors.append(message.text)

    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: console_errors.append(str(error)))
    yield page
    context.close()
