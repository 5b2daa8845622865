"""What a request wrote in its open transaction is not read back; whatever may have changed it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conversions.samples import PLAIN, body, row, rows
from tests.shop.models import Order
from tests.visitor.undone import rolled_back
from tiktok_attribution import paused
from tiktok_attribution.conversions.written import find_written, forget_written
from tiktok_attribution.models import State, SuppressedCount, VisitorSnapshot
from tiktok_attribution.visitor.visitor import current_request

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def answering(address: str = "81.2.69.142") -> Iterator[HttpRequest]:
    """A visitor's request is answered inside."""
    request = RequestFactory().get("/checkout/", REMOTE_ADDR=address, HTTP_USER_AGENT="Agent/1")
    token = current_request.set(request)
    try:
        yield request
    finally:
        current_request.reset(token)


def new_order(**fields: Any) -> Order:
    return Order.objects.create(status="new", total=5, **fields)


def pay(order: Order) -> list[str]:
    """The tables that are read while it is saved as paid."""
    order.status = "paid"
    with CaptureQueriesContext(connection) as asked:
        order.save()
    tables = (Order._meta.db_table, VisitorSnapshot._meta.db_table)
    read = [one["sql"] for one in asked if "SELECT" in one["sql"] and "INSERT" not in one["sql"]]
    return [table for table in tables if any(f'FROM "{table}"' in sql.replace("`", '"') for sql in read)]


BOTH_TABLES = [Order._meta.db_table, VisitorSnapshot._meta.db_table]


@pytest.fixture(autouse=True)
def _declared(configure: Configure) -> None:
    configure(PLAIN)


def test_a_checkout_reads_nothing_that_it_wrote() -> None:
    with answering(), transaction.atomic():
        assert pay(new_order()) == []
    assert body()["user"]["ip"] == "81.2.69.142"
    assert row().object_pk


def test_it_is_the_maker_whose_signals_are_remembered() -> None:
    with answering(), transaction.atomic():
        orders = [new_order(), new_order()]
        VisitorSnapshot.objects.filter(object_pk=str(orders[1].pk)).delete()  # the memory knows of it still
        for order in orders:
            assert pay(order) == []
    assert {one.object_pk for one in rows()} == {str(order.pk) for order in orders}


def test_without_a_request_the_database_is_asked() -> None:
    with transaction.atomic():
        assert pay(new_order()) == BOTH_TABLES


def test_another_request_asks_it() -> None:
    with transaction.atomic():
        with answering():
            order = new_order()
        with answering("8.8.8.8"):
            assert pay(order) == BOTH_TABLES
    assert body()["user"]["ip"] == "81.2.69.142"


def test_another_transaction_asks_it() -> None:
    with answering():
        with transaction.atomic():
            order = new_order()
        with transaction.atomic():
            assert pay(order) == BOTH_TABLES


def test_after_a_rollback_to_a_savepoint_it_is_asked() -> None:
    """The save that was undone had said that the order does not count; the stored one does, and is no news."""
    order = Order.objects.create(status="paid", total=5)
    assert len(rows()) == 1
    with answering(), transaction.atomic():
        with rolled_back():
            order.status = "new"
            order.save()
        assert pay(order)[:1] == [Order._meta.db_table]
    assert len(rows()) == 1


def test_a_payment_that_is_undone_may_come_again() -> None:
    with answering(), transaction.atomic():
        order = new_order()
        with rolled_back():
            pay(order)
        pay(order)
    assert row().object_pk == str(order.pk)


def test_what_was_held_back_stays_so() -> None:
    with answering(), transaction.atomic():
        order = new_order()
        with paused():
            pay(order)
        order.save()
    assert rows() == []


def test_what_is_too_old_counts_once_however_often_it_is_saved(configure: Configure) -> None:
    configure({**PLAIN, "time": lambda order: timezone.now() - timedelta(days=30)})
    with answering(), transaction.atomic():
        order = new_order()
        pay(order)
        order.save()
        order.save()
    assert rows() == []
    assert [(one.reason, one.count) for one in SuppressedCount.objects.all()] == [("too old", 1)]


def test_what_counts_by_now_is_asked_for_again() -> None:
    with answering(), transaction.atomic():
        order = new_order()
        before = find_written("shop.Order", order.pk, using="default")
        pay(order)
        after = find_written("shop.Order", order.pk, using="default")
    assert (before is not None and len(before.not_yet), after is not None and len(after.not_yet)) == (1, 0)


def test_an_invalid_event_is_built_again_by_a_later_save(configure: Configure) -> None:
    broken = [True]

    def total(order: Order) -> Any:
        return "a lot" if broken[0] else order.total

    configure({**PLAIN, "value": total})
    with answering(), transaction.atomic():
        order = new_order()
        pay(order)
        assert row().state == State.INVALID
        broken.clear()
        broken.append(False)
        order.save()
    assert (row().state, row().value) == (State.WAITING, 5)


def test_a_refusal_counts_once_however_often_it_is_saved() -> None:
    with answering() as request, transaction.atomic():
        request.META["HTTP_SEC_GPC"] = "1"
        order = new_order()
        pay(order)
        order.save()
    assert rows() == []
    assert [one.count for one in SuppressedCount.objects.all()] == [1]


def test_it_can_be_forgotten() -> None:
    with answering(), transaction.atomic():
        order = new_order()
        assert find_written("shop.Order", order.pk, using="default") is not None
        forget_written("default")
        assert find_written("shop.Order", order.pk, using="default") is None


def test_outside_of_a_transaction_the_snapshot_is_known_and_the_order_is_asked_for() -> None:
    """Another process may have changed the order since; the snapshot stays as it was stored."""
    with answering():
        assert pay(new_order()) == [Order._meta.db_table]
    assert body()["user"]["ip"] == "81.2.69.142"


def test_outside_of_a_transaction_another_request_asks_for_the_snapshot() -> None:
    with answering():
        order = new_order()
    with answering("8.8.8.8"):
        assert pay(order) == BOTH_TABLES
    assert body()["user"]["ip"] == "81.2.69.142"


def test_outside_of_a_transaction_it_can_be_forgotten_too() -> None:
    with answering():
        order = new_order()
        forget_written("default")
        assert pay(order) == BOTH_TABLES
