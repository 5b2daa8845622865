from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import TestCase

from tests.visitor.undone import rolled_back
from tiktok_attribution.visitor.visitor import Commitment

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_a_transaction_it_is_committed_at_once() -> None:
    ran: list[str] = []
    made = Commitment("default", then=lambda: ran.append("then"))
    assert (made.committed, made.is_open, made.is_undone, ran) == (True, False, False, ["then"])


def test_in_a_transaction_it_is_open_until_the_commit() -> None:
    ran: list[str] = []
    with transaction.atomic():
        made = Commitment("default", then=lambda: ran.append("then"))
        assert (made.is_open, made.is_undone, ran) == (True, False, [])
    assert (made.is_open, made.is_undone, ran) == (False, False, ["then"])


def test_a_rollback_undoes_it() -> None:
    with rolled_back():
        made = Commitment("default", then=lambda: pytest.fail("it was rolled back"))
    assert (made.is_open, made.is_undone) == (False, True)


def test_a_rollback_of_its_savepoint_undoes_it_alone() -> None:
    with transaction.atomic():
        outer = Commitment("default")
        with rolled_back():
            inner = Commitment("default")
        assert (outer.is_open, inner.is_undone) == (True, True)


def test_a_released_savepoint_shares_the_fate_of_the_whole() -> None:
    with rolled_back():
        with transaction.atomic():
            made = Commitment("default")
        assert made.is_open
    assert made.is_undone


@pytest.fixture
def no_autocommit() -> Iterator[None]:
    transaction.set_autocommit(False)
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


@pytest.mark.usefixtures("no_autocommit")
def test_where_nobody_tells_of_the_commit_it_counts_as_written() -> None:
    assert not Commitment("default").is_undone


@pytest.mark.django_db
def test_a_callback_that_a_test_runs_by_hand_settles_it() -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        made = Commitment("default")
    assert made.committed
