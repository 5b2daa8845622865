"""What happened inside `paused()` is recorded by nobody later; what happens after it counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core import serializers
from django.core.management import call_command
from django.utils import timezone

from tests.conversions.samples import PLAIN, paid, row, rows
from tests.conversions.test_backfill import run
from tests.shop.models import Order
from tiktok_attribution import hold_back, paused, recheck
from tiktok_attribution.models import VisitorSnapshot

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
DATED = {**PLAIN, "time": "created_at"}


def test_the_backfill_respects_what_was_held_back(configure: Configure) -> None:
    configure(DATED)
    with paused():
        paid()
    assert run() == {"refused": 1}
    assert rows() == []


def test_so_does_whoever_looks_again(configure: Configure) -> None:
    configure(DATED)
    with paused():
        order = paid()
    assert recheck(order) == []
    assert rows() == []


def test_an_order_that_is_imported_unpaid_counts_when_it_is_paid(configure: Configure) -> None:
    configure(DATED)
    with paused():
        order = Order.objects.create(total=5)
    order.status = "paid"
    order.save()
    assert len(rows()) == 1


def test_one_that_became_paid_inside_does_not(configure: Configure) -> None:
    configure(DATED)
    order = Order.objects.create(total=5)
    with paused():
        order.status = "paid"
        order.save()
    assert run() == {"refused": 1}


def test_one_that_counted_before_and_is_only_saved_inside_is_still_to_be_found(configure: Configure) -> None:
    configure(DATED)
    (order,) = Order.objects.bulk_create([Order(status="paid", total=5)])
    with paused():
        order.save()
    assert run() == {"recorded": 1}


def test_each_conversion_is_held_back_by_itself(configure: Configure) -> None:
    configure([{**DATED, "event": "Lead", "when": {}}, DATED])
    with paused():
        order = Order.objects.create(total=5)
    order.status = "paid"
    order.save()
    run()
    assert row().name == "Purchase"


def test_what_happens_while_the_app_is_switched_off_is_for_the_backfill(configure: Configure) -> None:
    configure(DATED, ENABLED=False)
    paid()
    configure(DATED)
    assert run() == {"recorded": 1}


def test_a_fixture_that_is_loaded_inside_is_held_back(configure: Configure, tmp_path: Path) -> None:
    configure()
    order = paid()
    (tmp_path / "orders.json").write_text(serializers.serialize("json", [order]))
    order.delete()
    configure(DATED)
    with paused():
        call_command("loaddata", str(tmp_path / "orders.json"), verbosity=0, stdout=StringIO())
    assert run() == {"refused": 1}


def test_rows_of_bulk_create_are_named(configure: Configure) -> None:
    configure(DATED)
    with paused():
        hold_back(Order.objects.bulk_create([Order(status="paid", total=5), Order(total=5)]))
    Order.objects.filter(status="new").update(status="paid")
    assert run() == {"refused": 1, "recorded": 1}


def test_a_condition_that_raises_holds_back_and_breaks_no_import(configure: Configure) -> None:
    configure({**DATED, "when": lambda order: 1 / int(order.customer_id)})
    with paused():
        order = paid(customer_id="0")
    Order.objects.update(customer_id="1")
    assert run() == {"refused": 1}
    assert Order.objects.get() == order


def test_what_no_mark_can_be_known_of_any_more_is_not_looked_for(configure: Configure) -> None:
    configure(DATED, SNAPSHOT_DAYS=2, MAX_AGE_DAYS=7)
    with paused():
        paid()
    Order.objects.update(created_at=timezone.now() - timedelta(days=3))
    VisitorSnapshot.objects.all().delete()  # as the prune task does by then
    assert run() in ({}, {"old": 1})
    assert rows() == []
