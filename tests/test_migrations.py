"""One migration makes every table, and takes each away again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

APP = "tiktok_attribution"


def tables() -> set[str]:
    return {name for name in connection.introspection.table_names() if name.startswith(f"{APP}_")}


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    call_command("migrate", APP, verbosity=0)


def test_nothing_was_released_so_there_is_one_migration() -> None:
    found = [name for app, name in MigrationLoader(None).disk_migrations if app == APP]
    assert found == ["0001_initial"]


@pytest.mark.django_db
def test_the_models_need_no_other() -> None:
    call_command("makemigrations", APP, check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_restored")
def test_going_back_leaves_no_table() -> None:
    assert tables()
    call_command("migrate", APP, "zero", verbosity=0)
    assert tables() == set()
