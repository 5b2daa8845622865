from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conversions.models import Ticket
from tests.conversions.samples import EMAIL, PIXEL, PLAIN, SECOND_PIXEL, body, paid, row, rows, with_line
from tests.shop.models import Order, OrderLine
from tiktok_attribution import Conversion, track
from tiktok_attribution.conversions import backfill as room
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
from tiktok_attribution.events import User
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.visitor.snapshot import Signals, keep

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]
DATED = {**PLAIN, "time": "created_at"}


def run(**options: Any) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for conversion in every():
        counts += backfill(conversion, using="default", **options)
    return dict(counts)


def unseen(**fields: Any) -> Order:
    """A paid order that no signal told of."""
    (order,) = Order.objects.bulk_create([Order(**{"status": "paid", "total": "19.90", "email": EMAIL, **fields})])
    return order


def test_what_an_update_made_true_is_found(configure: Configure) -> None:
    configure(DATED)
    order = Order.objects.create(total=5)
    Order.objects.filter(pk=order.pk).update(status="paid")
    assert run() == {"recorded": 1}
    assert body()["event_id"] == f"order-{order.pk}"


def test_what_bulk_create_made_is_found(configure: Configure) -> None:
    configure(DATED)
    Order.objects.bulk_create([Order(status="paid", total=n) for n in range(3)])
    assert run() == {"recorded": 3}


def test_it_has_the_objects_time_and_its_shoppers_signals(configure: Configure) -> None:
    configure(DATED)
    order = unseen()
    Order.objects.filter(pk=order.pk).update(created_at=timezone.now() - timedelta(days=2))
    keep(Signals(user=User(ttclid="abc")), "shop.Order", order.pk, using="default")
    run()
    order.refresh_from_db()
    assert body()["event_time"] == int(order.created_at.timestamp())
    assert body()["user"]["ttclid"] == "abc"


def test_what_signals_saw_is_known(configure: Configure) -> None:
    configure(DATED)
    paid()
    assert run() == {"known": 1}


def test_what_was_recorded_is_known_though_it_has_no_time(configure: Configure) -> None:
    configure(PLAIN)
    paid()
    assert run() == {"known": 1}


def test_a_second_pixel_gets_what_it_lacks(configure: Configure) -> None:
    configure(DATED)
    paid()
    configure(DATED, PIXEL_CODE=[PIXEL, SECOND_PIXEL])
    assert run() == {"recorded": 1}
    assert [found.pixel_code for found in rows()] == [PIXEL, SECOND_PIXEL]


def test_each_object_is_known_by_its_own_pixel(configure: Configure) -> None:
    configure({**DATED, "pixel": "customer_id"})
    paid(customer_id=PIXEL)
    paid(customer_id=SECOND_PIXEL)
    assert run() == {"known": 2}


def test_an_order_is_known_by_the_pixel_of_the_shop_it_was_made_in(configure: Configure) -> None:
    configure(DATED, PIXEL_CODE=PIXEL, PIXEL_FOR_REQUEST=lambda request: SECOND_PIXEL)
    for codes in ((SECOND_PIXEL,), ()):
        keep(Signals(pixel_codes=codes), "shop.Order", unseen().pk, using="default")
    assert run() == {"recorded": 1, "known": 1}
    assert row().pixel_code == SECOND_PIXEL
    assert run() == {"known": 2}


def test_an_invalid_row_heals(configure: Configure) -> None:
    configure({**DATED, "value": {"constant": -1}})
    paid()
    configure(DATED)
    assert run() == {"recorded": 1}
    assert row().state == State.WAITING


def test_an_invalid_row_without_a_time_heals_with_its_own(configure: Configure) -> None:
    configure({**PLAIN, "value": {"constant": -1}})
    paid()
    failed = row().event_time - 3600
    OutboxEvent.objects.update(event_time=failed)
    configure(PLAIN)
    assert run() == {"recorded": 1}
    assert body()["event_time"] == failed


def test_a_row_without_its_own_id_heals(configure: Configure) -> None:
    configure({**PLAIN, "event_id": "customer_id"})
    order = paid()
    Order.objects.filter(pk=order.pk).update(customer_id="invoice-7")
    assert run() == {"recorded": 1}
    assert [(one.event_id, one.state) for one in rows()][1:] == [("invoice-7", State.WAITING)]


def test_what_is_still_broken_stays_invalid(configure: Configure) -> None:
    configure({**DATED, "value": {"constant": -1}})
    unseen()
    assert run() == {"invalid": 1}
    assert run() == {"invalid": 1}
    assert len(rows()) == 1


def test_an_object_that_can_not_be_asked_does_not_stop_the_others(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configure({**DATED, "when": lambda order: order.status == "paid" and 1 / int(order.customer_id)})
    for customer in ("0", "0", "1"):
        unseen(customer_id=customer)
    assert run() == {"unreadable": 2, "recorded": 1}
    assert caplog.text.count("can't tell whether") == 1


def test_a_date_is_time_enough(configure: Configure) -> None:
    ticket = {"event": "Contact", "when": {"is_used": True}, "time": "used_on"}
    configure(conversions={"shop.Ticket": ticket})
    today = date.today()  # noqa: DTZ011 -- a date of the site
    Ticket.objects.bulk_create(
        [Ticket(code=str(days), used=True, used_on=today - timedelta(days=days)) for days in (1, 5, 7, 40)]
        + [Ticket(code="undated", used=True), Ticket(code="unused", used_on=today)]
    )
    found = run()
    assert (found["recorded"], found["undated"]) == (2, 1)
    assert run() == {"known": 2, "undated": 1} | ({"old": found["old"]} if "old" in found else {})


@pytest.mark.parametrize(("declared", "mode"), [({"channels": "browser"}, "developer"), ({}, "standard")])
def test_what_has_no_server_event_is_not_looked_for(configure: Configure, declared: dict[str, Any], mode: str) -> None:
    configure({**DATED, **declared}, MODE=mode)
    unseen()
    assert run() == {}


def test_a_condition_that_no_column_knows_is_decided_by_python(configure: Configure) -> None:
    configure({**DATED, "when": lambda order: order.total > 10})
    unseen(total=5)
    unseen(total=50)
    assert run() == {"recorded": 1}


@pytest.mark.parametrize("wanted", [[None, "vip"], [None]])
def test_none_is_one_of_the_values_that_a_list_may_want(configure: Configure, wanted: list[Any]) -> None:
    configure({**DATED, "when": {"customer_id": wanted}})
    unseen(customer_id=None)
    assert run() == {"recorded": 1}


@pytest.mark.usefixtures("configure")
def test_a_class_form_may_narrow_and_prefetch(register: Callable[..., Any], django_assert_num_queries: Any) -> None:
    class Purchase(Conversion):
        event = "Purchase"

        def happened(self, obj: Order) -> bool:
            return any(line.sku == "tea" for line in obj.lines.all())

        def candidates(self) -> QuerySet[Any]:
            return super().candidates().exclude(status="new").prefetch_related("lines")

    register(Order)(Purchase)
    for _ in range(3):
        with_line(unseen(), "coffee")
    (conversion,) = every()
    with django_assert_num_queries(3):  # a stretch, its lines, and the end
        assert backfill(conversion, using="default") == {}


def statements(conversion: Conversion) -> int:
    with CaptureQueriesContext(connection) as captured:
        backfill(conversion, using="default")
    return len(captured)


def test_a_page_of_known_objects_costs_the_same_however_long(configure: Configure) -> None:
    configure(
        conversions={
            "shop.OrderLine": {
                **DATED,
                "value": "unit_price",
                "when": {"order.status": "paid"},
                "time": "order.created_at",
                "currency": "EUR",
            }
        }
    )
    costs = []
    for size in (2, 20):
        order = paid()
        OrderLine.objects.bulk_create([OrderLine(order=order, sku="x", title="x", unit_price=1) for _ in range(size)])
        (conversion,) = every()
        backfill(conversion, using="default")
        costs.append(statements(conversion))
    assert costs[0] == costs[1] <= 5


def test_a_large_table_is_read_in_pages_and_nothing_twice(configure: Configure, monkeypatch: Any) -> None:
    monkeypatch.setattr(room, "PAGE_ROWS", 3)
    configure(DATED)
    Order.objects.bulk_create([Order(status="paid", total=n) for n in range(10)])
    assert run() == {"recorded": 10}
    assert run() == {"known": 10}
    (conversion,) = every()
    assert statements(conversion) == 4 * 4 + 1  # objects, visitors, known and invalid of each, and the end


def test_what_track_recorded_is_not_touched(configure: Configure) -> None:
    configure(DATED)
    track(None, "Purchase", event_id="by-hand", value=-1)
    assert run() == {}
    assert row().state == State.INVALID
