"""Whose address is sent: the shopper's, and never that of a webhook, a colleague or a load balancer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.shop.models import Order
from tiktok_attribution.models import OutboxEvent
from tiktok_attribution.testing.server import StandIn

pytestmark = [pytest.mark.privacy, pytest.mark.django_db(transaction=True)]

SHOPPER, WEBHOOK, COLLEAGUE, SPOOFED = "81.2.69.142", "93.184.216.34", "1.1.1.1", "9.9.9.9"
BALANCER = "10.0.0.5"
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"


@pytest.fixture(autouse=True)
def _shop(settings: Any, configure: Callable[..., None]) -> None:
    settings.ROOT_URLCONF = "tests.conversions.site"
    configure(TRUSTED_PROXIES=["10.0.0.0/8"])


def through_balancer(forwarded: str) -> dict[str, str]:
    return {"REMOTE_ADDR": BALANCER, "HTTP_X_FORWARDED_FOR": forwarded, "HTTP_USER_AGENT": AGENT}


def pay_as_colleague(order: Order) -> None:
    get_user_model().objects.create_superuser("staff", password="x")
    staff = Client(**through_balancer(COLLEAGUE))
    staff.login(username="staff", password="x")
    form = {"status": "paid", "total": "5", "currency": "USD", "email": "", "phone": "", "customer_id": ""}
    assert staff.post(f"/admin/shop/order/{order.pk}/change/", form).status_code == 302


def pay_by_webhook(order: Order) -> None:
    Client(**through_balancer(f"{SPOOFED}, {WEBHOOK}")).post(f"/hooks/pay/?order={order.pk}")


@pytest.mark.parametrize("pay", [pay_by_webhook, pay_as_colleague])
@pytest.mark.parametrize("forwarded", [SHOPPER, f"{SPOOFED}, {SHOPPER}", f"{SPOOFED},{WEBHOOK} , {SHOPPER}, 10.9.9.9"])
def test_no_address_but_the_shoppers_is_ever_sent(
    pay: Callable[[Order], None], forwarded: str, tiktok_standin: StandIn, tiktok_deliver: Callable[[], Any]
) -> None:
    Client(**through_balancer(forwarded)).post("/checkout/")
    pay(Order.objects.get())
    tiktok_deliver()
    (arrived,) = tiktok_standin.ledger.arrivals("server")
    assert arrived.user["ip"] == SHOPPER
    (row,) = OutboxEvent.objects.all()
    for other in (WEBHOOK, COLLEAGUE, SPOOFED, BALANCER):
        assert other not in row.payload


def test_a_spoofed_header_is_not_believed() -> None:
    direct = Client(REMOTE_ADDR=SHOPPER, HTTP_X_FORWARDED_FOR=SPOOFED, HTTP_USER_AGENT=AGENT)
    direct.post("/checkout/?status=paid")
    (row,) = OutboxEvent.objects.all()
    assert (SHOPPER in row.payload, SPOOFED in row.payload) == (True, False)


def test_without_a_shopper_there_is_no_address() -> None:
    order = Order.objects.create(total=5)
    pay_by_webhook(order)
    (row,) = OutboxEvent.objects.all()
    assert '"ip"' not in row.payload
