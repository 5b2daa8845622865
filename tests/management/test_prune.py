from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.delivery.samples import fill
from tiktok_attribution.delivery import retention
from tiktok_attribution.management.commands import tiktok_prune
from tiktok_attribution.models import OutboxEvent, State, moment

pytestmark = pytest.mark.django_db

SETTLED = {"state": State.DELIVERED, "due_at": None, "created_at": moment(0)}


def run(*arguments: str) -> str:
    told = StringIO()
    call_command("tiktok_prune", *arguments, stdout=told)
    return told.getvalue()


def test_it_prunes_and_says_what() -> None:
    fill(3, **SETTLED)

    assert run() == "3 payloads, 3 events\n"
    assert not OutboxEvent.objects.exists()


def test_it_says_when_there_is_nothing() -> None:
    assert run() == "nothing is past its time\n"


def test_it_goes_on_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktok_prune, "ROUND", 2)
    fill(5, **SETTLED)

    assert run() == "5 payloads, 5 events\n"


def test_no_more_rows_go_than_asked_for() -> None:
    fill(3, **SETTLED)
    run("--most=2")

    assert OutboxEvent.objects.count() == 1


@pytest.mark.parametrize("most", ["0", "-1", "many"])
def test_a_limit_that_is_no_number_is_refused(most: str) -> None:
    with pytest.raises(CommandError, match="is not a whole number above 0"):
        run(f"--most={most}")


def test_it_fails_when_a_database_could_not_be_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(using: str, **options: object) -> None:
        raise retention.AnyDatabaseError

    monkeypatch.setattr(retention, "prune", fail)

    with pytest.raises(CommandError, match="Not every database could be pruned"):
        run()
