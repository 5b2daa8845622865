"""Before `migrate` a command says what to run, and no other trouble of a database is taken for that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from tiktok_attribution.management import tables
from tiktok_attribution.management.commands import tiktok_status
from tiktok_attribution.models import OutboxEvent

EMPTY = """from tests.settings import *
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {name!r}}}}}
TIKTOK_ATTRIBUTION |= {{
    "SITE_URL": "https://shop.example",
    "CONVERSIONS": {{"auth.User": {{"event": "CompleteRegistration", "time": "date_joined"}}}},
}}
"""


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("deliver",), ("backfill",), ("export", "--email=ada@example.com"), ("spend", "--list")],
)
def test_without_tables_it_says_to_migrate(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "empty_settings.py").write_text(EMPTY.format(name=str(tmp_path / "empty.sqlite3")))
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "empty_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]),
    }
    command = [sys.executable, "-m", "django", f"tiktok_{arguments[0]}", *arguments[1:]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "CommandError: Tables of tiktok_attribution are missing: run manage.py migrate.\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_site_without_tables_logs_what_to_run_and_its_users_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty_settings.py").write_text(EMPTY.format(name=str(tmp_path / "empty.sqlite3")))
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "empty_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])]),
    }
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', 'auth', verbosity=0, skip_checks=True)\n"
        "from django.contrib.auth.models import User\n"
        "User.objects.create_user('ada')\n"
        "print(User.objects.count())\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert "run manage.py migrate" in done.stderr
    assert "was raised at" not in done.stderr


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise OperationalError("database is locked")

    monkeypatch.setattr(tiktok_status, "figures", fail)


@pytest.mark.django_db
@pytest.mark.usefixtures("trouble")
def test_other_problem_stays_as_it_is() -> None:
    with pytest.raises(OperationalError, match="locked"):
        call_command("tiktok_status")


@pytest.mark.django_db
@pytest.mark.usefixtures("trouble")
def test_a_database_that_can_not_be_asked_leaves_the_first_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(alias: str) -> list[str]:
        raise OperationalError("no connection")

    monkeypatch.setattr(OutboxEvent._meta, "db_table", "never_made")
    monkeypatch.setattr(tables, "unapplied", unreachable)
    with pytest.raises(OperationalError, match="locked"):
        call_command("tiktok_status")


@pytest.mark.usefixtures("trouble")
def test_another_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "outbox_databases", lambda: ["default", "events"])
    monkeypatch.setattr(tables, "_lacks_tables", lambda alias: alias == "events")
    with pytest.raises(CommandError, match=r"run manage\.py migrate --database=events\."):
        call_command("tiktok_status")
