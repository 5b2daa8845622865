"""Bad input: the shop's transaction commits, and the event says what was wrong with it, or does without."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.conversions.samples import EMAIL, PIXEL, PLAIN, PURCHASE, body, paid, row, rows, with_line
from tests.shop.models import Order
from tiktok_attribution import Conversion
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.models import OutboxEvent, State

Configure = Callable[..., None]
committed = pytest.mark.django_db(transaction=True)


def failing(order: Order) -> Any:
    raise ValueError(f"no total for {order.email}")


def broken_query(order: Order) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column FROM no_such_table")


def swallowed(order: Order) -> Any:
    try:
        broken_query(order)
    except DatabaseError:
        return 5
    return None


@committed
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": failing}, "ValueError was raised at conversions/test_recorder.py, line"),
        ({"value": "totl"}, "Order has no 'totl' (of the path 'totl')."),
        ({"value": {"constant": "a lot"}}, 'value: the amount is not a plain number: write "19.99"'),
        ({"value": {"constant": Decimal("NaN")}}, "value: an amount must be a finite number, not NaN"),
        ({"value": {"constant": -1}}, "value: an amount can't be negative"),
        ({"contents": {"each": "lines", "content_id": "sku", "price": "gone"}}, "OrderLine has no 'gone'"),
        ({"event_id": {"constant": None}}, "event_id is text, not NoneType"),
        ({"event_id": "email"}, "event_id holds an e-mail address"),
        ({"event_id": failing}, "ValueError was raised at conversions/test_recorder.py, line"),
        ({"pixel": failing}, "ValueError was raised at conversions/test_recorder.py, line"),
        ({"time": {"constant": "yesterday"}}, "event_time is not ISO text"),
        ({"value": broken_query}, "Error was raised at conversions/test_recorder.py, line"),
        ({"event_id": broken_query}, "Error was raised at conversions/test_recorder.py, line"),
        ({"when": broken_query}, "Error was raised at conversions/test_recorder.py, line"),
        ({"user": {"phone": broken_query}}, "Error was raised at conversions/test_recorder.py, line"),
        ({"when": failing}, "ValueError was raised at conversions/test_recorder.py, line"),
    ],
)
def test_the_order_commits_and_the_event_says_what_is_wrong(
    configure: Configure, changes: dict[str, Any], reason: str
) -> None:
    configure({**PLAIN, **changes})
    with transaction.atomic():
        order = with_line(Order.objects.create(total=5))
        order.status, order.email = "paid", EMAIL
        order.save()
    assert Order.objects.get(pk=order.pk).status == "paid"
    found = row(event_id=f"order-{order.pk}")
    assert (found.state, found.payload, found.pixel_code, found.due_at) == (State.INVALID, "", PIXEL, None)
    assert reason in found.note
    assert EMAIL not in found.note


@committed
def test_a_query_that_fails_and_is_swallowed_by_the_mapping_costs_nobody_the_order(configure: Configure) -> None:
    configure({**PLAIN, "value": swallowed})
    with transaction.atomic():
        paid()
    assert Order.objects.count() == 1
    assert len(rows()) == 1


@committed
@pytest.mark.parametrize(
    ("changes", "fields", "note"),
    [
        ({"user": {"phone": "phone"}}, {"phone": "call me"}, "phone left out: not a phone number with country code"),
        ({"user": {"email": "email"}}, {"email": "jane"}, "email left out: not an e-mail address."),
        ({"user": {"phone": "gone"}}, {}, "phone left out: Order has no 'gone' (of the path 'gone')."),
        ({"user": {"phone": failing}}, {}, "phone left out: ValueError was raised at"),
        (
            {"currency": "customer_id"},
            {"customer_id": "XYZ"},
            "value and currency left out: XYZ is not in TikTok's list",
        ),
    ],
)
def test_one_bad_key_is_left_out_with_a_note(
    configure: Configure, changes: dict[str, Any], fields: dict[str, Any], note: str
) -> None:
    configure({**PLAIN, **changes})
    paid(**fields)
    assert body()["event"] == "Purchase"
    assert note in row().note


@committed
def test_recording_costs_the_transaction_two_inserts_and_their_savepoint(
    configure: Configure, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    configure({"event": "Purchase", "value": "total", "currency": "currency"})
    ours = 1 if connection.vendor == "postgresql" else 4
    with transaction.atomic(), django_assert_num_queries(1 + ours):
        Order.objects.create(total=5)
    assert body()["event"] == "Purchase"


@committed
def test_without_a_pixel_the_event_says_so(configure: Configure) -> None:
    configure(PLAIN, PIXEL_CODE="")
    paid()
    assert row().note == 'No pixel is known: set PIXEL_CODE, or "pixel" in the declaration.'


@committed
def test_without_a_page_address_the_event_says_so(configure: Configure, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"PIXEL_CODE": PIXEL, "CONVERSIONS": {"shop.Order": PLAIN}}
    paid()
    assert row().note == "No page address is known, and TikTok wants one: set SITE_URL."


@committed
@pytest.mark.parametrize("changes", [{"value": failing}, {"when": failing}, {"event_id": failing}])
def test_strict_raises_what_the_mapping_raises(configure: Configure, changes: dict[str, Any]) -> None:
    configure({**PLAIN, **changes}, STRICT=True)
    with pytest.raises(ValueError, match="no total"):
        paid()


@committed
@pytest.mark.parametrize("user", [{"phone": failing}, {"phone": "gone"}])
def test_strict_raises_for_a_key_that_can_not_be_read(configure: Configure, user: dict[str, Any]) -> None:
    configure({**PLAIN, "user": user}, STRICT=True)
    with pytest.raises(ValueError, match=r"no total|has no 'gone'"):
        paid()


@committed
def test_strict_raises_an_invalid_event(configure: Configure) -> None:
    configure({**PLAIN, "value": {"constant": -1}}, STRICT=True)
    with pytest.raises(InvalidEvent, match="can't be negative"):
        paid()


@committed
@pytest.mark.faults
def test_a_missing_outbox_table_breaks_no_order(configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    configure(PURCHASE)
    with connection.schema_editor() as editor:
        editor.alter_db_table(OutboxEvent, OutboxEvent._meta.db_table, "moved_away")
    try:
        with transaction.atomic():
            order = paid()
            order.save()
        Order.objects.get(pk=order.pk).save()
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(OutboxEvent, "moved_away", OutboxEvent._meta.db_table)
    assert Order.objects.count() == 1
    assert f"Purchase order-{order.pk} could not be recorded, tiktok_backfill finds it later" in caplog.text
    assert EMAIL not in caplog.text


@committed
def test_one_bad_conversion_does_not_cost_the_other(configure: Configure) -> None:
    configure([{**PLAIN, "value": failing}, {"event": "Lead", "when": {"status": "paid"}}])
    paid()
    assert [(found.name, found.state) for found in rows()] == [("Purchase", State.INVALID), ("Lead", State.WAITING)]


@committed
def test_an_invalid_event_is_logged_once_with_its_reason(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configure({**PLAIN, "value": {"constant": -1}})
    order = paid()
    logged = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert [one.getMessage() for one in logged] == [
        f"tiktok: Purchase order-{order.pk} is invalid: value: an amount can't be negative"
    ]


@committed
def test_a_class_form_that_raises_is_recorded_as_invalid(register: Callable[..., Any]) -> None:
    class OrderPurchase(Conversion):
        event = "Purchase"

        def user(self, order: Order) -> Any:
            return {"emial": order.email}

    register(Order)(OrderPurchase)
    paid()
    assert "user has no key 'emial'. Known keys: email, phone" in row().note
