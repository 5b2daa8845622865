"""One migrated PostgreSQL database and one stand-in for the suite, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_django import DjangoDbBlocker

from tests.engines.server import DatabaseServer
from tests.faults.site import Site
from tiktok_attribution.testing.server import StandIn

DATABASE = "faults"


@pytest.fixture(scope="session")
def shared_site(
    postgres_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    with StandIn() as standin:
        log = tmp_path_factory.mktemp("faults") / "log"
        server = Site(database_url=postgres_server.url(), standin=standin, log=log, blocker=django_db_blocker)
        server.sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.sql(f"CREATE DATABASE {DATABASE}")
        site = replace(server, database_url=postgres_server.url(DATABASE))
        site.manage("migrate", "--run-syncdb", "-v", "0")
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.clean()
    return shared_site
