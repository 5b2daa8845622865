"""After a test that commits, the tables are emptied, but for those that `migrate` fills.

Django would empty these too and fill them again, which takes longer than most tests; and it truncates where there is
hardly a row to delete.
"""

from __future__ import annotations

import pytest
from django.db import connections, transaction
from django.test import TransactionTestCase

FILLED = {"django_content_type", "auth_permission"}


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setattr(TransactionTestCase, "_fixture_teardown", _emptied)


def _emptied(case: TransactionTestCase) -> None:
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        _empty(alias)


def _empty(alias: str) -> None:
    connection = connections[alias]
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.constraint_checks_disabled(), transaction.atomic(using=alias), connection.cursor() as cursor:
        for table in sorted(set(tables) - FILLED):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608 -- the names of our tables
