"""An order's own time: too old is history and no mistake; a little ahead is now."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.conversions.models import Ticket
from tests.conversions.samples import PLAIN, body, row, rows
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.models import State, SuppressedCount

pytestmark = pytest.mark.django_db(transaction=True)
Configure = Callable[..., None]


@pytest.fixture
def at(configure: Configure) -> Callable[..., None]:
    """Declares a paid order's time: so long from now."""

    def at(**ago: float) -> None:
        configure({**PLAIN, "time": lambda order: timezone.now() + timedelta(**ago)})

    return at


def test_an_order_from_an_import_is_counted_and_alarms_nobody(at: Any, caplog: pytest.LogCaptureFixture) -> None:
    at(days=-8)
    for _ in range(3):
        Order.objects.create(status="paid", total=5)
    assert rows() == []
    assert [(one.reason, one.count) for one in SuppressedCount.objects.all()] == [("too old", 3)]
    assert caplog.text == ""


def test_also_where_problems_are_raised(configure: Configure) -> None:
    configure({**PLAIN, "time": lambda order: 0}, STRICT=True)
    Order.objects.create(status="paid", total=5)
    assert rows() == []


def test_a_date_too(configure: Configure) -> None:
    configure(conversions={"shop.Ticket": {"event": "Contact", "time": "used_on"}})
    Ticket.objects.create(code="A1", used_on=timezone.now() - timedelta(days=30))
    assert rows() == []


def test_one_of_the_last_days_is_recorded(at: Any) -> None:
    at(days=-6)
    Order.objects.create(status="paid", total=5)
    assert row().state == State.WAITING


def test_what_a_caller_says_by_hand_is_a_problem_all_the_same() -> None:
    track(None, "Lead", event_time=5, page_url="https://shop.example/")
    assert row().state == State.INVALID


@pytest.mark.parametrize(("seconds", "noted"), [(2, False), (59, False), (15 * 60, True), (59 * 60, True)])
def test_a_time_ahead_becomes_now_and_says_so_where_that_is_no_trifle(at: Any, seconds: float, noted: bool) -> None:
    at(seconds=seconds)
    Order.objects.create(status="paid", total=5)
    assert body()["event_time"] <= int(time.time())
    assert row().note.endswith("ahead and became now.") is noted


def test_more_than_an_hour_ahead_is_a_problem(at: Any) -> None:
    at(minutes=61)
    Order.objects.create(status="paid", total=5)
    assert row().state == State.INVALID
    assert "in the future" in row().note
