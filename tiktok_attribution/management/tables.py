"""A base class for commands, with a clear error if the tables of this app are missing."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as AnyDatabaseError
from django.db import connections

from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.doctor.environment import APP, unapplied


class TablesCommand(BaseCommand):
    """A command that needs the tables. Before `migrate` it says so; it does not change other errors.

    `tiktok_deliver --loop` rarely gets here: it logs what a database refuses, and goes on until that is fixed.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except AnyDatabaseError as error:
            lacking = [alias for alias in outbox_databases() if _lacks_tables(alias)]
            if not lacking:
                raise
            where = "" if lacking == ["default"] else f" --database={lacking[0]}"
            raise CommandError(f"Tables of {APP} are missing: run manage.py migrate{where}.") from error


def _lacks_tables(alias: str) -> bool:
    """Return whether migrations are pending that create the tables. False if the database can't be read."""
    try:
        there = connections[alias].introspection.table_names()
        wanted = {model._meta.db_table for model in apps.get_app_config(APP).get_models()}
        return not wanted.issubset(there) and bool(unapplied(alias))
    except AnyDatabaseError:
        return False
