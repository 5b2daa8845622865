"""P5: what an event costs the checkout that records it, hashing included."""

from __future__ import annotations

from functools import partial
from statistics import median

from benchmarks import rows
from benchmarks.measured import Measured
from benchmarks.rounds import microseconds, take_turns
from benchmarks.setup import Setup
from benchmarks.shop.models import AnyOrder, Order, PlainOrder
from tiktok_attribution.models import OutboxEvent


def order_and_event(setup: Setup) -> Measured:
    """Orders of either kind one by one in turn, each committed by itself in a shopper's request.

    The hint goes to a real broker.
    """
    rows.empty()
    for model in (Order, PlainOrder):
        for _ in range(20):
            _milliseconds(model)
    before = OutboxEvent.objects.count()
    orders = setup.scale.orders
    figures = take_turns(orders, {"ours": partial(_milliseconds, Order), "plain": partial(_milliseconds, PlainOrder)})
    recorded = OutboxEvent.objects.count() - before
    if recorded != orders:
        raise AssertionError(f"{orders} orders were placed, {recorded} events recorded")
    chunks = [slice(at, at + orders // 5) for at in range(0, orders, orders // 5)]
    ours = [median(figures["ours"][chunk]) for chunk in chunks]
    plain = [median(figures["plain"][chunk]) for chunk in chunks]
    return Measured.of_rounds(ours, plain, note=f"{orders} orders of each kind, medians of fifths")


def _milliseconds(model: type[AnyOrder]) -> float:
    request = rows.shopper_request()
    return microseconds(lambda: rows.place_order(model, request), 1) / 1000
