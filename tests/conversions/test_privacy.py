"""A plain e-mail address or phone number is in no row, no log and no error text, whatever goes wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import serializers
from django.db import transaction

from tests.conversions.models import Ticket
from tests.conversions.samples import EMAIL, PHONE, PLAIN, PURCHASE, rows
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every, of
from tiktok_attribution.models import OutboxEvent, VisitorSnapshot

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.privacy]


def revealing(order: Order) -> Any:
    raise ValueError(f"{order.email} {order.phone}")


def unlucky(order: Order) -> Any:
    return {"email": order.email}["phone of " + order.phone]


@pytest.fixture(autouse=True)
def _everything_is_clean(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    formatter = logging.Formatter()
    ours = [one for one in caplog.records if not one.name.startswith("django.db")]
    told = [formatter.format(one) for one in ours]
    kept = serializers.serialize("json", [*OutboxEvent.objects.all(), *VisitorSnapshot.objects.all()])
    for text in (*told, kept):
        assert EMAIL not in text
        assert PHONE not in text
        assert PHONE[3:] not in text


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"value": revealing},
        {"when": revealing},
        {"event_id": revealing},
        {"event_id": "email"},
        {"event_id": lambda order: f"order of {order.email}"},
        {"pixel": revealing},
        {"time": revealing},
        {"time": "email"},
        {"value": "email"},
        {"currency": "email"},
        {"user": {"email": revealing, "phone": unlucky}},
        {"user": {"first_name": "email", "ttclid": "email", "ip": "email", "user_agent": "email"}},
        {"properties": {"note": "email"}},
        {"properties": {"email": "email", "phone": "phone"}},
        {"properties": revealing},
        {"contents": {"content_id": "sku", "each": revealing}},
        {"description": "email", "search_string": "email"},
    ],
)
def test_an_order_reveals_nobody(configure: Configure, changes: dict[str, Any]) -> None:
    configure({**PURCHASE, **changes})
    with transaction.atomic():
        order = Order.objects.create(status="paid", total=5, email=EMAIL, phone=PHONE)
        order.save()
    order.save()
    for conversion in every():
        backfill(conversion, using="default")
    assert rows() or "properties" in changes


def test_a_key_that_is_an_address_becomes_a_digest(configure: Configure) -> None:
    configure(conversions={"shop.Ticket": {"event": "Contact", "when": {"used": True}}})
    Ticket.objects.create(code=EMAIL, used=True)
    (row,) = rows()
    assert (len(row.object_pk), row.event_id.startswith("ticket-")) == (32, True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"event": EMAIL},
        {"event": "Lead", "event_id": EMAIL},
        {"event": "Lead", "user": {EMAIL: PHONE}},
        {"event": "Lead", "user": {"email": [EMAIL, object()]}},
        {"event": "Lead", "page_url": f"https://a.example/{EMAIL}?utm_term={EMAIL}"},
        {"event": "Lead", "value": EMAIL, "currency": EMAIL},
        {"event": "Lead", "properties": {"note": f"call {EMAIL}", EMAIL: 1}},
        {"event": "Lead", "event_time": EMAIL},
    ],
)
def test_track_reveals_nobody(configure: Configure, arguments: dict[str, Any]) -> None:
    track(None, **arguments)
    assert len(rows()) == 1


@pytest.mark.parametrize("value", ["email", "phone"])
def test_an_error_of_strict_holds_no_value(configure: Configure, value: str) -> None:
    configure({**PLAIN, "value": value}, STRICT=True)
    with pytest.raises(ValueError, match="value") as raised:
        Order.objects.create(status="paid", email=EMAIL, phone=PHONE)
    text = "".join(traceback.format_exception(raised.value))
    assert EMAIL not in text


def test_the_parts_of_an_event_show_no_values(configure: Configure) -> None:
    configure(PURCHASE)
    with transaction.atomic():
        order = Order.objects.create(status="paid", total=5, email=EMAIL, phone=PHONE)
        recorded = track(None, "Lead", user={"email": EMAIL})
        assert EMAIL not in f"{recorded!r} {of(Order)!r} {order!r}"
