"""P5: what an event costs the checkout that records it, hashing included."""

from __future__ import annotations

from copy import copy
from functools import partial
from itertools import count
from statistics import median

from benchmarks import rows
from benchmarks.measured import Measured
from benchmarks.rounds import microseconds, take_turns
from benchmarks.setup import Setup
from benchmarks.shop.models import AnyOrder, Order, PlainOrder
from tiktok_attribution.models import OutboxEvent

_numbers = count()


def order_and_event(setup: Setup) -> Measured:
    """Orders of either kind one by one in turn, each committed by itself in a shopper's request.

    The hint goes to a real broker. Beside them an order with the INSERT of an event that is made already: what is left
    when recording costs no time but the database's.
    """
    rows.empty()
    for model in (Order, PlainOrder):
        for _ in range(20):
            _milliseconds(model)
    ready = OutboxEvent.objects.latest("pk")
    before = OutboxEvent.objects.count()
    orders = setup.scale.orders
    contestants = {
        "ours": partial(_milliseconds, Order),
        "plain": partial(_milliseconds, PlainOrder),
        "insert": lambda: _milliseconds(PlainOrder, _another(ready)),
    }
    figures = take_turns(orders, contestants)
    recorded = OutboxEvent.objects.count() - before
    if recorded != 2 * orders:
        raise AssertionError(f"{orders} orders and as many ready events were stored, {recorded} events recorded")
    chunks = [slice(at, at + orders // 5) for at in range(0, orders, orders // 5)]
    ours, plain, insert = ([median(figures[name][chunk]) for chunk in chunks] for name in contestants)
    bare = median(mine / other for mine, other in zip(insert, plain, strict=True))
    note = f"{orders} orders of each kind, medians of fifths; the INSERT of a ready event alone makes it {bare:.2f}"
    return Measured.of_rounds(ours, plain, note=note)


def _another(row: OutboxEvent) -> OutboxEvent:
    """The same event of another order."""
    again = copy(row)
    again.event_id = f"ready-{next(_numbers)}"
    return again


def _milliseconds(model: type[AnyOrder], *more: OutboxEvent) -> float:
    request = rows.shopper_request()
    return microseconds(lambda: rows.place_order(model, request, *more), 1) / 1000
