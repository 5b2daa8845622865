"""Declarations and short ways to what the tests look at."""

from __future__ import annotations

import json
from typing import Any

from tests.shop.models import Order, OrderLine
from tiktok_attribution.models import OutboxEvent, State

PIXEL = "C0EXAMPLE0000000000"
SECOND_PIXEL = "C0SECOND00000000000"
EMAIL = "jane.doe@example.com"
PHONE = "+4915112345678"

PURCHASE: dict[str, Any] = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "contents": {
        "each": "lines",
        "content_id": "sku",
        "content_name": "title",
        "price": "unit_price",
        "quantity": "quantity",
    },
    "user": {"email": "email", "phone": "phone", "external_id": "customer_id"},
}
PLAIN = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}


def paid(**fields: Any) -> Order:
    return Order.objects.create(**{"status": "paid", "total": "19.90", "email": EMAIL, **fields})


def with_line(order: Order, sku: str = "tea", price: str = "9.95", quantity: int = 2) -> Order:
    OrderLine.objects.create(order=order, sku=sku, title="Tea", unit_price=price, quantity=quantity)
    return order


def rows(**fields: Any) -> list[OutboxEvent]:
    return list(OutboxEvent.objects.filter(**fields).order_by("pk"))


def row(**fields: Any) -> OutboxEvent:
    """The only row there is."""
    return OutboxEvent.objects.get(**fields)


def body(**fields: Any) -> dict[str, Any]:
    """The only event as TikTok gets it; its state must be waiting."""
    found = row(**fields)
    assert found.state == State.WAITING, found.note
    sent: dict[str, Any] = json.loads(found.payload)
    return sent


def sent_properties(**fields: Any) -> Any:
    return body(**fields).get("properties", {})
