from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Q

from tests.conversions.models import Ticket
from tests.shop.models import Order, OrderLine
from tiktok_attribution.conversions.condition import Condition


@pytest.mark.parametrize(
    ("model", "when", "fields", "concerned"),
    [
        (Order, {"status": "paid"}, ["status"], True),
        (Order, {"status": "paid"}, ["email"], False),
        (Order, {"status": "paid", "total": 5}, ["email", "total"], True),
        (OrderLine, {"order.status": "paid"}, ["order"], True),
        (OrderLine, {"order.status": "paid"}, ["order_id"], True),
        (OrderLine, {"order.status": "paid"}, ["title"], False),
        (Ticket, {"is_used": True}, ["order"], True),
        (Order, lambda order: True, ["email"], True),
        (Order, "email", ["status"], True),
    ],
)
def test_a_save_of_some_fields_concerns_it_if_it_looks_at_them(
    model: Any, when: Any, fields: list[str], concerned: bool
) -> None:
    assert Condition(model, when).concerns(fields) is concerned


@pytest.mark.parametrize(
    ("model", "when", "lookup"),
    [
        (Order, {"status": "paid"}, Q(status="paid")),
        (Order, {"status": ["paid", "sent"]}, Q(status__in=["paid", "sent"])),
        (Order, {"customer_id": None}, Q(customer_id__isnull=True)),
        (Order, {"customer_id": [None, "a"]}, Q(customer_id__in=["a"]) | Q(customer_id__isnull=True)),
        (OrderLine, {"order.status": "paid"}, Q(order__status="paid")),
        (OrderLine, {"order__status": "paid"}, Q(order__status="paid")),
        (Ticket, {"is_used": True, "code": "A1"}, Q(code="A1")),
        (Order, {"status.upper": "PAID"}, Q()),
        (Order, {"total": "a lot"}, Q()),
        (Order, lambda order: True, Q()),
    ],
)
def test_a_database_is_asked_what_it_can_know(model: Any, when: Any, lookup: Q) -> None:
    assert Condition(model, when).narrowed() == Q() & lookup


def test_a_dotted_name_that_leads_nowhere_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        Condition(Order, "no.such.thing")
