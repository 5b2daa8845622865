"""`recheck`: look at this order now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from tests.conversions.samples import PLAIN, PURCHASE, body, paid, row, rows, sent_properties, with_line
from tests.shop.models import Member, Order
from tiktok_attribution import paused, recheck
from tiktok_attribution.events import User
from tiktok_attribution.models import State
from tiktok_attribution.visitor.snapshot import Signals, keep

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]


def updated(**fields: object) -> Order:
    """The instance in hand knows nothing of it."""
    order = Order.objects.create(total=5)
    Order.objects.filter(pk=order.pk).update(**{"status": "paid", **fields})
    return order


def test_what_an_update_made_true_is_recorded_now(configure: Configure) -> None:
    configure(PLAIN)
    order = updated(total=7)
    assert recheck(order) == [f"order-{order.pk}"]
    assert sent_properties()["value"] == 7


def test_a_condition_over_another_table(configure: Configure) -> None:
    configure({**PLAIN, "when": lambda order: order.lines.filter(sku="gift").exists()})
    order = Order.objects.create(total=5)
    assert recheck(order) == []
    with_line(order, "gift")
    assert recheck(order) == [f"order-{order.pk}"]


def test_again_it_records_nothing(configure: Configure) -> None:
    configure(PLAIN)
    order = updated()
    recheck(order)
    assert recheck(order) == []
    assert len(rows()) == 1


def test_it_has_its_own_time_and_its_shoppers_signals(configure: Configure) -> None:
    configure({**PLAIN, "time": "created_at"})
    order = updated(created_at=timezone.now() - timedelta(days=2))
    keep(Signals(user=User(ttclid="abc")), "shop.Order", order.pk, using="default")
    recheck(order)
    order.refresh_from_db()
    assert body()["event_time"] == int(order.created_at.timestamp())
    assert body()["user"]["ttclid"] == "abc"


def test_an_invalid_event_heals(configure: Configure) -> None:
    configure({**PLAIN, "value": {"constant": -1}})
    order = paid()
    configure(PLAIN)
    assert recheck(order) == [f"order-{order.pk}"]
    assert row().state == State.WAITING


@pytest.mark.django_db(transaction=True)
def test_in_the_transaction_that_recorded_it_the_event_is_built_again(configure: Configure) -> None:
    configure(PURCHASE)
    with transaction.atomic():
        order = with_line(paid(), "first")
        Order.objects.update(total=9)
        assert recheck(order) == []
    assert sent_properties()["value"] == 9


def test_one_that_is_gone_or_not_declared_or_paused_records_nothing(configure: Configure) -> None:
    configure(PLAIN)
    order = updated()
    with paused():
        assert recheck(order) == []
    assert recheck(Member.objects.create(email="jane@example.com")) == []
    Order.objects.all().delete()
    assert recheck(order) == []
    assert rows() == []


def test_a_condition_that_raises_breaks_nothing(configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    configure({**PLAIN, "when": lambda order: 1 / 0})
    assert recheck(Order.objects.create(total=5)) == []
    assert "can't tell whether" in caplog.text
