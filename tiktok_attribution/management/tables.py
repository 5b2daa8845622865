"""What the commands say where the tables of this app were never made."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as AnyDatabaseError
from django.db import connections

from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.doctor.environment import APP, unapplied


class TablesCommand(BaseCommand):
    """A command that needs the tables: before `migrate` it says so. Every other error stays as it is.

    `tiktok_deliver --loop` gets here seldom: it logs what a database refuses, and goes on until that is fixed.
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
    """Whether migrations are pending that would make them; False where the database can't be asked."""
    try:
        there = connections[alias].introspection.table_names()
        wanted = {model._meta.db_table for model in apps.get_app_config(APP).get_models()}
        return not wanted.issubset(there) and bool(unapplied(alias))
    except AnyDatabaseError:
        return False
