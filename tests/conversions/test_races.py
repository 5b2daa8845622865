"""Two at once: threads with a connection each, on a database that both really write to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, close_old_connections, connection, transaction

from tests.conversions.samples import PLAIN, row, rows
from tests.shop.models import Order
from tests.visitor.undone import rolled_back
from tiktok_attribution.conversions.objects import heal
from tiktok_attribution.conversions.registry import of
from tiktok_attribution.models import OutboxEvent, State

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


def at_once(work: Callable[[threading.Barrier], None], workers: int = 4) -> None:
    barrier = threading.Barrier(workers, timeout=20)

    def run(_: int) -> None:
        try:
            work(barrier)
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, range(workers)))


def test_an_order_paid_by_several_at_once_counts_once(configure: Configure) -> None:
    configure(PLAIN)
    pk = Order.objects.create(total=5).pk

    def pay(barrier: threading.Barrier) -> None:
        order = Order.objects.get(pk=pk)
        barrier.wait()
        order.status = "paid"
        order.save()

    at_once(pay)
    assert len(rows()) == 1


@pytest.mark.on_engine("postgres", "mariadb")
def test_an_order_paid_in_two_open_transactions_counts_once(configure: Configure) -> None:
    configure(PLAIN)
    pk = Order.objects.create(total=5).pk

    def pay(barrier: threading.Barrier) -> None:
        order = Order.objects.get(pk=pk)
        barrier.wait()
        try:
            with transaction.atomic():
                order.status = "paid"
                order.save()
        except OperationalError:
            pass  # a deadlock of the order's own updates; one of the two has won

    at_once(pay, 2)
    assert row().state == State.WAITING


@pytest.mark.on_engine("postgres", "mariadb")
def test_when_the_first_of_two_rolls_back_the_second_counts(configure: Configure) -> None:
    configure({"event": "Contact", "event_id": {"constant": "the-same"}})
    written, waiting = threading.Event(), threading.Event()

    def first() -> None:
        try:
            with rolled_back():
                Order.objects.create()
                written.set()
                waiting.wait(20)
        finally:
            connection.close()

    def second() -> None:
        try:
            written.wait(20)
            threading.Timer(0.3, waiting.set).start()
            Order.objects.create()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result()
    assert row().state == State.WAITING
    assert Order.objects.count() == 1


@pytest.mark.on_engine("postgres", "mariadb")
def test_an_invalid_row_that_was_made_valid_meanwhile_is_not_called_off(configure: Configure) -> None:
    configure(PLAIN, PIXEL_CODE="")
    order = Order.objects.create(status="paid", total=5)
    configure(PLAIN)
    (conversion,) = of(Order)
    written, waiting = threading.Event(), threading.Event()

    def deliver() -> None:
        try:
            with transaction.atomic():
                OutboxEvent.objects.update(state=State.DELIVERED)
                written.set()
                waiting.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        delivered = pool.submit(deliver)
        written.wait(20)
        threading.Timer(0.3, waiting.set).start()
        assert heal(conversion, order, using="default") is not None
        delivered.result()
    assert sorted(row.state for row in rows()) == [State.DELIVERED, State.WAITING]
