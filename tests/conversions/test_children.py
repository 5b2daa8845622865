"""An order that is a subscription too is one order, whichever of the two is declared and whichever is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.conversions.models import Subscription
from tests.conversions.samples import PLAIN, row, rows
from tests.conversions.test_backfill import run
from tests.shop.models import Order
from tiktok_attribution import recheck
from tiktok_attribution.conversions import registry

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
DATED = {**PLAIN, "time": "created_at"}
SUBSCRIBE = {**DATED, "event": "Subscribe"}


def subscription(**fields: Any) -> Subscription:
    return Subscription.objects.create(**{"total": 5, **fields})


def pay(order: Order) -> None:
    order.status = "paid"
    order.save()


def test_with_both_declared_it_counts_once_as_the_child(configure: Configure) -> None:
    configure(conversions={"shop.Order": DATED, "shop.Subscription": DATED})
    one = subscription(status="paid")
    assert row().event_id == f"subscription-{one.pk}"
    assert run() == {"known": 1}


def test_also_when_the_parent_is_saved(configure: Configure) -> None:
    configure(conversions={"shop.Order": DATED, "shop.Subscription": DATED})
    one = subscription()
    pay(Order.objects.get(pk=one.pk))
    one.refresh_from_db()
    one.save()
    assert row().event_id == f"subscription-{one.pk}"
    assert run() == {"known": 1}


def test_a_plain_order_counts_as_an_order(configure: Configure) -> None:
    configure(conversions={"shop.Order": DATED, "shop.Subscription": DATED})
    order = Order.objects.create(total=5)
    pay(order)
    assert row().event_id == f"order-{order.pk}"
    assert run() == {"known": 1}


def test_different_events_are_both_told(configure: Configure) -> None:
    configure(conversions={"shop.Order": DATED, "shop.Subscription": SUBSCRIBE})
    pay(Order.objects.get(pk=subscription().pk))
    assert {one.name for one in rows()} == {"Purchase", "Subscribe"}


def test_a_declared_child_that_is_saved_through_its_parent_counts(configure: Configure) -> None:
    configure(conversions={"shop.Subscription": DATED})
    pay(Order.objects.get(pk=subscription().pk))
    assert row().object_label == "shop.Subscription"


def test_one_that_counted_already_does_not_count_again(configure: Configure) -> None:
    configure()
    one = subscription(status="paid")
    configure(conversions={"shop.Subscription": PLAIN})
    Order.objects.get(pk=one.pk).save()
    assert rows() == []


def test_with_update_fields_too(configure: Configure) -> None:
    configure(conversions={"shop.Subscription": DATED})
    order = Order.objects.get(pk=subscription().pk)
    order.status, order.total = "paid", 7  # type: ignore[assignment]
    order.save(update_fields=["status", "total"])
    assert str(row().value) == "7.000000"


def test_saved_twice_in_one_transaction_it_is_built_again(configure: Configure) -> None:
    configure(conversions={"shop.Subscription": DATED})
    with transaction.atomic():
        order = Order.objects.get(pk=subscription().pk)
        pay(order)
        order.total = 9  # type: ignore[assignment]
        order.save()
    assert str(row().value) == "9.000000"


def test_the_backfill_counts_each_once(configure: Configure) -> None:
    configure(conversions={"shop.Order": DATED, "shop.Subscription": DATED})
    subscription()
    Order.objects.create(total=5)
    Order.objects.update(status="paid")
    assert run() == {"recorded": 2}
    assert run() == {"known": 2}
    assert sorted(one.object_label for one in rows()) == ["shop.Order", "shop.Subscription"]


def test_whoever_looks_again_at_the_parent_looks_at_the_child(configure: Configure) -> None:
    configure(conversions={"shop.Subscription": DATED})
    one = subscription()
    Order.objects.update(status="paid")
    assert recheck(Order.objects.get()) == [f"subscription-{one.pk}"]


def test_where_no_child_is_declared_a_save_asks_nothing_about_children(configure: Configure) -> None:
    configure(DATED)
    order = Order.objects.create(total=5)
    with CaptureQueriesContext(connection) as captured:
        order.save()
    assert not [query for query in captured if "shop_subscription" in query["sql"]]


@pytest.mark.parametrize(
    ("conversions", "told"),
    [
        ({"shop.Order": PLAIN, "shop.PhoneOrder": PLAIN}, [("Purchase", "shop.Order", "shop.PhoneOrder")]),
        ({"shop.Order": PLAIN, "shop.PhoneOrder": {**PLAIN, "event": "Lead"}}, []),
        ({"shop.Order": PLAIN, "shop.Subscription": PLAIN}, []),
        ({"shop.PhoneOrder": PLAIN}, []),
    ],
)
def test_a_proxy_has_the_same_rows_so_both_count_them(configure: Configure, conversions: Any, told: Any) -> None:
    configure(conversions=conversions)
    assert list(registry.told_twice()) == told
