"""Invalid events are built again from their objects."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.admin.samples import retry_of, with_settings
from tests.shop.models import Order, OrderLine
from tiktok_attribution.admin import action_run
from tiktok_attribution.admin.action_run import rebuild
from tiktok_attribution.admin.explanations import Unbuilt
from tiktok_attribution.delivery import manual
from tiktok_attribution.models import OutboxEvent, State

Make = Callable[..., Any]
PURCHASE = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "user": {"email": "email"},
    "properties": {"description": lambda order: order.lines.get().title},
}


@pytest.fixture(autouse=True)
def declared(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(CONVERSIONS={"shop.Order": PURCHASE}, SITE_URL="https://shop.example")


@pytest.fixture
def invalid(db: None) -> OutboxEvent:
    """Recorded of an order without a line, which its declaration relies upon."""
    Order.objects.create(status="paid", total="20.00", currency="EUR", email="ann@example.com")
    return OutboxEvent.objects.get(state=State.INVALID)


def fix(row: OutboxEvent, **values: Any) -> None:
    """As a colleague at the database does: no signal of the order sees it."""
    OrderLine.objects.create(order_id=int(row.object_pk), sku="TL-1", title="Oolong", unit_price="20.00")
    Order.objects.filter(pk=row.object_pk).update(**values)


def test_a_fixed_object_becomes_a_waiting_event(boss: Client, invalid: OutboxEvent) -> None:
    fix(invalid)

    response = boss.post(retry_of(invalid), follow=True)

    invalid.refresh_from_db()
    assert (invalid.state, invalid.currency) == (State.WAITING, "EUR")
    assert [str(message) for message in response.context["messages"]] == ["1 event is due now."]


def test_what_is_not_fixed_stays_invalid(boss: Client, invalid: OutboxEvent) -> None:
    response = boss.post(retry_of(invalid), follow=True)

    invalid.refresh_from_db()
    assert invalid.state == State.INVALID
    assert "still invalid: the cause is not fixed yet" in str(next(iter(response.context["messages"])))


def test_it_happened_when_it_was_recorded_and_not_now(invalid: OutboxEvent) -> None:
    fix(invalid)
    then = int(time.time()) - 3600
    OutboxEvent.objects.filter(pk=invalid.pk).update(event_time=then)
    invalid.refresh_from_db()

    rebuild(invalid, using="default")

    invalid.refresh_from_db()
    assert (invalid.event_time, json.loads(invalid.payload)["event_time"]) == (then, then)


def test_strictness_does_not_reach_the_admin(boss: Client, invalid: OutboxEvent, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "STRICT": True}

    assert boss.post(retry_of(invalid)).status_code == 302


def test_without_its_object_it_cannot_be_built(invalid: OutboxEvent) -> None:
    Order.objects.all().delete()

    assert rebuild(invalid, using="default") == Unbuilt.GONE


@pytest.mark.parametrize(("label", "pk"), [("gone.Model", "1"), ("nonsense", "1"), ("shop.Member", "no uuid")])
def test_an_object_that_cannot_be_looked_up_is_gone(event: Make, label: str, pk: str) -> None:
    row = event(state=State.INVALID, object_label=label, object_pk=pk)

    assert rebuild(row, using="default") == Unbuilt.GONE


def test_without_a_declaration_it_cannot_be_built(invalid: OutboxEvent, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(CONVERSIONS={"shop.Order": {"event": "Lead"}})

    assert rebuild(invalid, using="default") == Unbuilt.UNDECLARED


def test_what_does_not_count_any_more_is_not_sent(invalid: OutboxEvent) -> None:
    fix(invalid, status="refunded")

    assert rebuild(invalid, using="default") == Unbuilt.NOT_HAPPENED


def test_an_event_without_a_pixel_is_recorded_for_the_one_that_is_configured_now(
    invalid: OutboxEvent,
) -> None:
    fix(invalid)
    invalid.pixel_code = ""
    invalid.save()

    rebuild(invalid, using="default")

    invalid.refresh_from_db()
    assert (invalid.state, invalid.note) == (State.CANCELLED, f"Recorded again as {invalid.event_id}.")
    assert OutboxEvent.objects.get(state=State.WAITING).event_id == invalid.event_id


def test_the_right_one_of_two_declarations_is_used(invalid: OutboxEvent, settings: Any) -> None:
    gift = {**PURCHASE, "label": "gift"}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "CONVERSIONS": {"shop.Order": [gift, PURCHASE]}}
    fix(invalid)

    rebuild(invalid, using="default")

    assert [row.event_id for row in OutboxEvent.objects.all()] == [invalid.event_id]


def test_both_pixels_of_one_event_are_fixed_together(
    boss: Client, invalid: OutboxEvent, settings: Any, list_address: str
) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "PIXEL_CODE": [invalid.pixel_code, "C0SECOND"]}
    fix(invalid)
    invalid.pk = invalid.id = None
    invalid.pixel_code = "C0SECOND"
    invalid.save()

    data = {"action": "retry_selected", "select_across": "1", "_selected_action": "0", "confirmed": "1"}
    response = boss.post(f"{list_address}?state__exact=invalid", data, follow=True)

    assert [str(message) for message in response.context["messages"]] == ["2 events are due now."]


def test_only_so_many_are_built_at_once(invalid: OutboxEvent, event: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    second = event(state=State.INVALID, object_label="shop.Order", object_pk="0")
    monkeypatch.setattr(action_run, "MOST_REBUILT", 1)

    done = action_run.run(manual.retry, [invalid.pk, second.pk], using="default")

    assert done.refused[Unbuilt.LATER] == 1
