"""Every engine that the tests bring along starts, answers, and holds the shop's models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.engines import mariadb
from tests.engines.server import BACKENDS, DatabaseServer, MissingEngine, database_of_url
from tests.shop.models import Order, OrderLine


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    found: DatabaseServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def engine(server: DatabaseServer, django_db_blocker: Any) -> Iterator[BaseDatabaseWrapper]:
    """A connection of Django's to the server, beside the run's own."""
    if server.engine == "mariadb":
        import pymysql  # noqa: PLC0415 -- only this engine needs it

        pymysql.install_as_MySQLdb()
    connections.settings[server.engine] = connections.configure_settings(
        {"default": {}, server.engine: database_of_url(server.url())}
    )[server.engine]
    with django_db_blocker.unblock():
        yield connections[server.engine]
        connections[server.engine].close()
    del connections[server.engine], connections.settings[server.engine]


@pytest.mark.services
def test_the_server_tells_its_version(engine: BaseDatabaseWrapper) -> None:
    with engine.cursor() as cursor:
        cursor.execute("SELECT version()")
        (version,) = cursor.fetchone()

    assert {"postgresql": "PostgreSQL", "mysql": "MariaDB"}[engine.vendor] in version


@pytest.mark.services
def test_the_shops_models_live_on_the_server(engine: BaseDatabaseWrapper) -> None:
    with engine.schema_editor() as editor:
        editor.create_model(Order)
        editor.create_model(OrderLine)
    try:
        order = Order.objects.using(engine.alias).create(total=Decimal("19.90"), email="ünï@example.com")
        OrderLine.objects.using(engine.alias).create(order=order, sku="A-1", title="Kanne 🫖", unit_price=1)

        assert Order.objects.using(engine.alias).get(lines__title="Kanne 🫖").total == Decimal("19.90")
    finally:
        with engine.schema_editor() as editor:
            editor.delete_model(OrderLine)
            editor.delete_model(Order)


@pytest.mark.services
def test_valkey_keeps_and_gives_back(valkey_server: str) -> None:
    client = redis.Redis.from_url(valkey_server, db=15)
    client.set("seat", "taken")

    assert client.get("seat") == b"taken"
    client.close()


@pytest.mark.django_db
def test_the_engine_of_this_run_holds_the_shops_models() -> None:
    order = Order.objects.create(total=Decimal("19.90"))

    assert Order.objects.get(pk=order.pk).total == Decimal("19.90")


def test_a_machine_without_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)

    with pytest.raises(MissingEngine, match="apt-get install mariadb-server-core"), mariadb.mariadb():
        pass


def test_a_url_names_the_database_another_process_shall_use() -> None:
    server = DatabaseServer(engine="postgres", port=5432, user="u", password="p", database="postgres")

    assert database_of_url(server.url("test_postgres")) == {
        "ENGINE": BACKENDS["postgres"],
        "NAME": "test_postgres",
        "HOST": "127.0.0.1",
        "PORT": 5432,
        "USER": "u",
        "PASSWORD": "p",
    }
