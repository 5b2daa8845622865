from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import F, Value

from tests.conversions.models import Ticket
from tests.conversions.samples import PLAIN, PURCHASE, paid, row, rows, sent_properties
from tests.shop.models import Order
from tiktok_attribution import paused
from tiktok_attribution.models import OutboxEvent, State

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]


def pay(order: Order, **save: Any) -> None:
    order.status = "paid"
    order.save(**save)


def test_it_counts_once_however_often_it_is_saved(configure: Configure) -> None:
    configure(PLAIN)
    order = paid()
    for _ in range(3):
        order.save()
    Order.objects.get(pk=order.pk).save()
    assert len(rows()) == 1


def test_it_counts_once_though_it_becomes_true_twice(configure: Configure) -> None:
    configure(PLAIN)
    order = paid()
    order.status = "refunded"
    Order.objects.filter(pk=order.pk).update(status="refunded")
    pay(Order.objects.get(pk=order.pk))
    assert len(rows()) == 1


def test_two_stale_instances_count_once(configure: Configure) -> None:
    configure(PLAIN)
    order = Order.objects.create(total=5)
    first, second = Order.objects.get(pk=order.pk), Order.objects.get(pk=order.pk)
    pay(first)
    pay(second)
    assert len(rows()) == 1


def test_update_fields_with_the_deciding_one_count(configure: Configure) -> None:
    configure(PLAIN)
    pay(Order.objects.create(total=5), update_fields=["status"])
    assert len(rows()) == 1


def test_update_fields_without_the_deciding_one_change_nothing(configure: Configure) -> None:
    configure(PLAIN)
    pay(Order.objects.create(total=5), update_fields=["email"])
    assert rows() == []


def test_the_event_tells_what_is_stored_and_not_what_was_left_unsaved(configure: Configure) -> None:
    configure(PLAIN)
    order = Order.objects.create(total=5)
    order.total = 999
    pay(order, update_fields=["status"])
    assert sent_properties()["value"] == 5


def test_what_only_the_database_knows_is_read_from_it(configure: Configure) -> None:
    configure(PLAIN)
    order = Order.objects.create(total=5)
    order.total, order.status = F("total") + 3, Value("paid")
    order.save()
    assert sent_properties()["value"] == 8


def test_a_refreshed_instance_does_not_count_again(configure: Configure) -> None:
    configure(PLAIN)
    order = paid()
    order.refresh_from_db()
    order.save()
    assert len(rows()) == 1


def test_a_deferred_instance_counts(configure: Configure) -> None:
    configure(PLAIN)
    order = Order.objects.create(total=5)
    pay(Order.objects.only("status").get(pk=order.pk))
    assert sent_properties()["value"] == 5


@pytest.mark.parametrize("save", [{}, {"update_fields": ["status"]}])
def test_an_order_from_before_the_app_does_not_count_when_saved_again(configure: Configure, save: Any) -> None:
    order = paid()
    configure(PLAIN)
    Order.objects.get(pk=order.pk).save(**save)
    assert rows() == []


def test_an_order_from_before_the_app_does_not_count_when_saved_by_its_key(configure: Configure) -> None:
    order = paid()
    configure(PLAIN)
    Order(pk=order.pk, status="paid", created_at=order.created_at).save()
    assert rows() == []


def test_a_property_in_when_knows_what_counted_before(configure: Configure) -> None:
    Ticket.objects.create(code="A1", used=True)
    configure(conversions={"shop.Ticket": {"event": "Contact", "when": {"is_used": True}}})
    Ticket.objects.get(code="A1").save()
    assert rows() == []


def test_a_value_that_differs_in_case_only_is_another_one(configure: Configure) -> None:
    order = paid(status="PAID")
    configure(PLAIN)
    pay(order)
    assert len(rows()) == 1


def test_a_copy_of_an_order_is_an_order(configure: Configure) -> None:
    configure(PLAIN)
    order = paid()
    again = copy.copy(order)
    again.pk, again.id, again._state.adding, again.total = None, None, True, 7
    again.save()
    assert [str(found.value) for found in rows()] == ["19.900000", "7.000000"]


def test_an_order_can_be_pickled_while_its_transaction_is_open(configure: Configure) -> None:
    configure(PURCHASE)
    with transaction.atomic():
        order = paid()
        assert pickle.loads(pickle.dumps(order)) == order  # noqa: S301 -- our own


def test_a_save_that_failed_leaves_no_trace_on_the_order(configure: Configure) -> None:
    configure(conversions={"shop.Order": {"event": "Purchase", "when": lambda order: order.status == "paid"}})
    order = paid()
    OutboxEvent.objects.all().delete()
    order.total = None  # type: ignore[assignment]
    with pytest.raises(IntegrityError), transaction.atomic():
        order.save()
    pickle.dumps(order)
    order.pk, order.id, order._state.adding, order.total = None, None, True, 7
    order.save()
    assert str(row().value) == "None"


@pytest.mark.parametrize("raw", [True, False])
def test_raw_fixtures_are_history_and_do_not_count(configure: Configure, raw: bool, tmp_path: Any) -> None:
    order = paid()
    text = serializers.serialize("json", [order])
    order.delete()
    configure(PLAIN)
    if raw:
        (tmp_path / "orders.json").write_text(text)
        call_command("loaddata", str(tmp_path / "orders.json"), verbosity=0, stdout=io.StringIO())
    else:
        Order.objects.create(status="paid")
    assert len(rows()) == (0 if raw else 1)


def test_nothing_counts_inside_paused_nor_after_it_by_a_second_save(configure: Configure) -> None:
    configure(PLAIN)
    with paused():
        order = paid()
    order.save()
    assert rows() == []


def test_paused_ends_with_its_block_even_by_an_error(configure: Configure) -> None:
    configure(PLAIN)
    with pytest.raises(ZeroDivisionError), paused():
        raise ZeroDivisionError
    paid()
    assert len(rows()) == 1


def test_nothing_counts_while_the_app_is_switched_off(configure: Configure) -> None:
    configure(PLAIN, ENABLED=False)
    paid()
    assert rows() == []


def test_an_order_that_is_deleted_and_made_again_under_its_key_counts_once(configure: Configure) -> None:
    configure(conversions={"shop.Ticket": {"event": "Contact", "when": {"used": True}}})
    Ticket.objects.create(code="A1", used=True).delete()
    Ticket.objects.create(code="A1", used=True)
    assert row().state == State.WAITING
