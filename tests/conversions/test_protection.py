from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.shop.models import Order
from tiktok_attribution.transactions import protected, together

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The first words of what the block says to the database."""
    said: list[str] = []
    with CaptureQueriesContext(connection) as queries:
        yield said
    said += [query["sql"].split()[0] for query in queries]


def broken_query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


def pipeline() -> AbstractContextManager[object]:
    """psycopg's, which takes no two statements at once; elsewhere there is none."""
    psycopg = connection.connection if connection.vendor == "postgresql" else None
    return psycopg.pipeline() if psycopg else nullcontext()


def orders() -> int:
    return Order.objects.count()


def test_without_a_query_nothing_is_said() -> None:
    with transaction.atomic(), statements() as said, protected("default"):
        pass
    assert said == []


APART = ["SAVEPOINT", "SELECT"]


def test_the_first_query_makes_the_savepoint() -> None:
    with transaction.atomic(), statements() as said, protected("default"):
        orders()
        orders()
    first = ["SAVEPOINT"] if connection.vendor == "postgresql" else ["SAVEPOINT", "SELECT"]
    assert said == [*first, "SELECT", "RELEASE"]


def test_outside_a_transaction_there_is_none() -> None:
    with statements() as said, protected("default"):
        orders()
    assert said == ["SELECT"]


def test_a_broken_query_spoils_nothing_around_it() -> None:
    with transaction.atomic():
        Order.objects.create(total=1)
        with pytest.raises(DatabaseError), protected("default"):
            broken_query()
        Order.objects.create(total=2)
    assert orders() == 2


def test_what_was_written_before_the_error_is_taken_back() -> None:
    with transaction.atomic():
        with suppress(ValueError), protected("default"):
            Order.objects.create(total=1)
            raise ValueError
        Order.objects.create(total=2)
    assert [order.total for order in Order.objects.all()] == [2]


def test_an_error_without_a_query_leaves_the_transaction_usable() -> None:
    with transaction.atomic():
        with pytest.raises(ValueError, match="early"), protected("default"):
            raise ValueError("early")
        Order.objects.create(total=1)
    assert orders() == 1


def test_an_inner_block_without_savepoint_is_undone_by_the_one_around_it() -> None:
    with transaction.atomic():
        with protected("default"), suppress(DatabaseError), transaction.atomic(savepoint=False):
            Order.objects.create(total=1)
            broken_query()
        Order.objects.create(total=2)
    assert [order.total for order in Order.objects.all()] == [2]


def test_an_inner_block_that_fails_before_any_query_spoils_nothing() -> None:
    with transaction.atomic():
        with protected("default"), suppress(ValueError), transaction.atomic(savepoint=False):
            raise ValueError
        Order.objects.create(total=1)
    assert orders() == 1


def test_inner_savepoints_are_the_sites_own() -> None:
    with transaction.atomic(), protected("default"):
        Order.objects.create(total=1)
        with suppress(DatabaseError), transaction.atomic():
            Order.objects.create(total=2)
            broken_query()
        Order.objects.create(total=3)
    assert sorted(order.total for order in Order.objects.all()) == [1, 3]


def test_one_inside_another_each_undoes_its_own() -> None:
    with transaction.atomic(), protected("default"):
        Order.objects.create(total=1)
        with suppress(DatabaseError), protected("default"):
            broken_query()
        Order.objects.create(total=2)
    assert orders() == 2


def test_what_waits_for_the_commit_goes_with_what_is_undone() -> None:
    done: list[str] = []
    with transaction.atomic():
        with suppress(ValueError), protected("default"):
            orders()
            transaction.on_commit(lambda: done.append("undone"))
            raise ValueError
        transaction.on_commit(lambda: done.append("kept"))
    assert done == ["kept"]


def test_a_transaction_that_was_broken_before_stays_so() -> None:
    with suppress(DatabaseError), transaction.atomic():
        connection.needs_rollback = True
        with pytest.raises(transaction.TransactionManagementError), protected("default"):
            orders()
        assert connection.needs_rollback
        raise DatabaseError
    assert orders() == 0


def test_the_last_statement_takes_its_savepoint_along() -> None:
    with transaction.atomic(), statements() as said, together("default") as block:
        block.next_is_last()
        assert orders() == 0
    apart = ["SAVEPOINT", "SELECT", "RELEASE"]
    assert said == (apart[:1] if connection.vendor == "postgresql" else apart)


def test_in_a_pipeline_each_statement_goes_by_itself() -> None:
    with transaction.atomic(), pipeline(), statements() as said, together("default") as block:
        block.next_is_last()
        assert orders() == 0
    assert said == ["SAVEPOINT", "SELECT", "RELEASE"]


def test_a_broken_last_statement_spoils_nothing_around_it() -> None:
    with transaction.atomic():
        Order.objects.create(total=1)
        with suppress(DatabaseError), together("default") as block:
            block.next_is_last()
            broken_query()
        Order.objects.create(total=2)
    assert orders() == 2


def test_a_last_statement_that_is_never_sent_spoils_nothing_around_it() -> None:
    with transaction.atomic():
        with suppress(Exception), together("default") as block:
            block.next_is_last()
            Order.objects.filter(email="a\0b").exists()  # psycopg refuses the NUL
        Order.objects.create(total=1)
    assert orders() == 1


def test_what_follows_the_last_statement_has_a_savepoint_too() -> None:
    with transaction.atomic():
        with suppress(DatabaseError), together("default") as block:
            block.next_is_last()
            orders()
            Order.objects.create(total=1)
            broken_query()
        Order.objects.create(total=2)
    assert [order.total for order in Order.objects.all()] == [2]


def test_a_last_statement_after_another_goes_with_it() -> None:
    with transaction.atomic():
        with suppress(ValueError), together("default") as block:
            Order.objects.create(total=1)
            block.next_is_last()
            Order.objects.create(total=2)
            raise ValueError
        Order.objects.create(total=3)
    assert [order.total for order in Order.objects.all()] == [3]


def test_the_last_statement_may_end_the_block() -> None:
    with transaction.atomic(), statements() as said, together("default") as block:
        orders()
        block.next_is_last(ends=True)
        orders()
    assert said == (["SAVEPOINT", "SELECT"] if connection.vendor == "postgresql" else [*APART, "SELECT", "RELEASE"])


def test_a_broken_statement_that_ends_the_block_takes_the_others_back() -> None:
    with transaction.atomic():
        with suppress(DatabaseError), together("default") as block:
            Order.objects.create(total=1)
            block.next_is_last(ends=True)
            broken_query()
        Order.objects.create(total=2)
    assert [order.total for order in Order.objects.all()] == [2]


def test_a_first_statement_that_is_never_sent_spoils_nothing_around_it() -> None:
    with transaction.atomic():
        with suppress(Exception), protected("default"):
            Order.objects.filter(email="a\0b").exists()  # psycopg refuses the NUL
        with protected("default"):
            assert orders() == 0
        Order.objects.create(total=1)
    assert orders() == 1


def test_a_broken_first_statement_of_several_spoils_nothing_around_it() -> None:
    with transaction.atomic():
        with suppress(DatabaseError), protected("default"), protected("default"):
            orders()
            broken_query()
        Order.objects.create(total=2)
    assert orders() == 1


def test_a_block_inside_that_fails_leaves_the_one_around_it_whole() -> None:
    with transaction.atomic():
        with protected("default"):
            with suppress(DatabaseError), protected("default"):
                broken_query()
            Order.objects.create(total=1)
        Order.objects.create(total=2)
    assert orders() == 2


def test_a_cursor_on_the_server_has_a_savepoint_before_it() -> None:
    Order.objects.create(total=1)
    with transaction.atomic(), protected("default"):
        assert [order.total for order in Order.objects.iterator(chunk_size=1)] == [1]


def test_together_outside_a_transaction_all_is_written_or_nothing() -> None:
    with suppress(ValueError), together("default") as block:
        Order.objects.create(total=1)
        block.next_is_last()
        Order.objects.create(total=2)
        raise ValueError
    assert orders() == 0
    with together("default"):
        Order.objects.create(total=3)
    assert orders() == 1


@pytest.mark.parametrize("savepoint", [True, False])
@pytest.mark.parametrize("fails", ["inner", "outer", "none"])
def test_djangos_own_block_inside_one_without_a_statement_yet_keeps_its_place(*, savepoint: bool, fails: str) -> None:
    with transaction.atomic():
        Order.objects.create(total=1)
        with suppress(ValueError), protected("default"):
            with suppress(ValueError), transaction.atomic(savepoint=savepoint):
                Order.objects.create(total=2)
                if fails == "inner":
                    raise ValueError
            if fails == "outer":
                raise ValueError
        if fails == "inner" and not savepoint:
            assert not connection.needs_rollback  # the block around it was rolled back, and nothing further
        Order.objects.create(total=3)
    kept = sorted(int(total) for total in Order.objects.values_list("total", flat=True))
    assert kept == ([1, 2, 3] if fails == "none" else [1, 3])
    assert connection.savepoint_ids == []
