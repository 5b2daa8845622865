"""The worker turns finished events into conversions that last: each once, whatever happens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

from tests.attribution.models import Sale
from tests.attribution.samples import (
    DAY,
    LAPTOP,
    PHONE,
    PIXEL,
    PURCHASE,
    REFUNDABLE,
    SECOND_PIXEL,
    clicked,
    happened,
    placed,
    sold,
    worked,
)
from tiktok_attribution import track
from tiktok_attribution.attribution import conversions, work
from tiktok_attribution.attribution.conversions import record_events
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import (
    ChangedObject,
    ConversionPerson,
    EventBody,
    Heartbeat,
    OutboxEvent,
    RecordedConversion,
    State,
    SuppressedCount,
)

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


def ids() -> list[str]:
    return list(RecordedConversion.objects.order_by("pk").values_list("event_id", flat=True))


def test_a_purchase_becomes_a_conversion(configure: Configure) -> None:
    items = {"each": "items", "content_id": "sku", "price": "price", "quantity": "quantity"}
    configure({**PURCHASE, "contents": items})
    clicked(time.time() - 60)
    sale = sold("8.50", email="ada@example.com")
    placed(sale, int(time.time()) - 60)
    worked()
    (row,) = RecordedConversion.objects.all()
    event = OutboxEvent.objects.get()
    assert (row.shop, row.name, row.event_id) == (PIXEL, "Purchase", f"sale-{sale.pk}")
    assert (row.object_label, row.object_pk, row.at) == ("shop.Sale", str(sale.pk), event.event_time)
    assert (row.value, row.currency, row.refunded, row.is_reversed) == (Decimal("8.5"), "EUR", 0, False)
    assert row.visitor_key == LAPTOP
    assert row.placed_at == int(row.at) - 60 or row.placed_at == int(row.at) - 61
    assert json.loads(row.lines) == [["A", 3, "2.5"], ["B", 1, "1"]]
    assert not row.is_stale


def test_it_is_recorded_once_however_often_the_worker_looks(configure: Configure) -> None:
    sale = sold()
    assert [worked().get("recorded", 0) for _ in range(3)] == [1, 0, 0]
    worked(time.time() + 2 * DAY)  # every pass again
    assert ids() == [f"sale-{sale.pk}"]


def test_one_order_of_a_shop_with_two_pixels_is_one_conversion(configure: Configure) -> None:
    configure(PIXEL_CODE=[PIXEL, SECOND_PIXEL])
    sold()
    assert OutboxEvent.objects.count() == 2
    worked()
    assert RecordedConversion.objects.get().shop == PIXEL


def test_of_track_only_the_events_that_the_setting_names(configure: Configure) -> None:
    configure(events=("Lead",))
    for name in ("Lead", "Search"):
        track(None, name, event_id=f"by-hand-{name}")
    worked()
    assert ids() == ["by-hand-Lead"]


def test_nothing_is_recorded_while_it_is_off(configure: Configure) -> None:
    configure(ATTRIBUTION=False)
    sold()
    assert not work.work()
    assert not work.is_due()
    assert ids() == []


def test_what_was_recorded_before_is_found_once_it_is_on(configure: Configure) -> None:
    configure(ATTRIBUTION=False)
    sale = sold()
    happened(sale, int(time.time()) - 10 * DAY)
    OutboxEvent.objects.update(created_at=OutboxEvent.objects.get().happened_at)
    configure()
    worked()
    assert ids() == [f"sale-{sale.pk}"]
    assert conversions.is_history_read()


def test_an_event_whose_body_was_cleared_is_left_out(configure: Configure) -> None:
    sold()
    EventBody.objects.update(payload="")
    worked()
    assert ids() == []


def test_a_refusal_leaves_no_conversion(configure: Configure) -> None:
    configure({**PURCHASE, "consent": lambda sale: False}, join=("external_id",))
    sold(customer="7")
    worked()
    assert ids() == []
    assert SuppressedCount.objects.get().count == 1


@pytest.mark.parametrize("state", [State.AWAITING_CONSENT, State.INVALID, State.CANCELLED])
def test_what_has_no_consent_or_was_never_built_does_not_count(configure: Configure, state: State) -> None:
    sold()
    OutboxEvent.objects.update(state=state)
    worked()
    assert ids() == []


@pytest.mark.parametrize("state", [State.DELIVERED, State.REJECTED, State.EXPIRED, State.BROWSER_ONLY])
def test_what_tiktok_did_with_it_does_not_matter(configure: Configure, state: State) -> None:
    sold()
    OutboxEvent.objects.update(state=state)
    worked()
    assert len(ids()) == 1


def test_a_late_consent_is_found_within_the_hour(configure: Configure) -> None:
    sold()
    OutboxEvent.objects.update(state=State.AWAITING_CONSENT)
    worked()
    OutboxEvent.objects.update(state=State.WAITING)
    worked(time.time() + 3601)
    assert len(ids()) == 1


def test_an_unfinished_event_waits_until_it_is_finished(configure: Configure) -> None:
    sold("5.00")
    OutboxEvent.objects.update(unfinished_since=time.time())
    worked()
    assert ids() == []
    OutboxEvent.objects.update(unfinished_since=None, value=Decimal(7))
    worked(time.time() + 121)
    assert RecordedConversion.objects.get().value == 7


def test_a_transaction_that_committed_late_is_found_behind_the_cursor(configure: Configure) -> None:
    sold()
    worked()
    Heartbeat.objects.filter(pk=conversions.READ).update(seen_at=10**9)
    late = sold()
    worked()
    assert f"sale-{late.pk}" not in ids()
    Heartbeat.objects.filter(pk=conversions.READ).update(seen_at=late.pk + 10**6)
    worked(time.time() + 121)
    assert f"sale-{late.pk}" in ids()


def test_limited_data_use_counts_and_joins_nothing(configure: Configure) -> None:
    configure(join=("email",), LIMITED_DATA_USE=True)
    sold(email="ada@example.com")
    worked()
    row = RecordedConversion.objects.get()
    assert row.visitor_key is None
    assert not ConversionPerson.objects.exists()


def test_persons_are_kept_only_where_devices_are_joined(configure: Configure) -> None:
    sold(email="ada@example.com", customer="7")
    worked()
    assert not ConversionPerson.objects.exists()
    configure(join=("external_id",))
    sold(email="ada@example.com", customer="7")
    worked()
    assert list(ConversionPerson.objects.values_list("identifier", flat=True)) == ["external_id"]


def test_no_hash_of_an_address_leaves_the_bodies(configure: Configure) -> None:
    configure(join=("email", "external_id"))
    sold(email="ada@example.com")
    worked()
    sha256 = email_sha256("ada@example.com") or ""
    person = ConversionPerson.objects.get().person
    stored = [*RecordedConversion.objects.values(), *ConversionPerson.objects.values()]
    assert sha256 not in repr(stored)
    assert person.hex not in sha256
    assert sha256[:32] != person.hex


def test_the_number_of_a_person_depends_on_the_key_of_the_site(configure: Configure, settings: Any) -> None:
    def number() -> object:
        sold(email="ada@example.com")
        worked()
        return ConversionPerson.objects.order_by("-pk")[0].person

    configure(join=("email",))
    first = number()
    settings.SECRET_KEY = "another one"
    second = number()
    configure(join=("email",), key="a key for attribution alone")
    assert len({first, second, number()}) == 3


def test_the_snapshots_browser_is_used_where_the_event_has_none(configure: Configure) -> None:
    clicked(time.time() - 60, browser=PHONE)
    sale = sold(browser=None)
    placed(sale, int(time.time()), browser=PHONE)
    worked()
    assert RecordedConversion.objects.get().visitor_key == PHONE


def test_no_more_than_a_hundred_lines_are_kept(configure: Configure) -> None:
    many = [{"content_id": str(number), "price": 1, "quantity": 1} for number in range(150)]
    track(None, "Lead", event_id="many", contents=many, currency="EUR")
    configure(events=("Lead",))
    worked()
    assert len(json.loads(RecordedConversion.objects.get().lines)) == 100


def test_a_checkout_makes_no_statement_more(configure: Configure) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            sale = Sale.objects.create(total=5)
            sale.total = Decimal(6)
            sale.save()
            sale.status = "paid"
            sale.save()
        return [query["sql"].split(" ")[0] for query in queries]

    configure(REFUNDABLE)
    statements()  # the first of a process asks for more
    with_attribution = statements()
    configure(REFUNDABLE, ATTRIBUTION=False)
    assert with_attribution == statements()
    assert not ChangedObject.objects.exists()


@pytest.mark.faults
def test_two_workers_at_once_record_each_once(configure: Configure) -> None:
    configure(join=("email",))
    for number in range(30):
        sold(email=f"{number % 5}@example.com")
    last = OutboxEvent.objects.order_by("-pk")[0].pk
    barrier = threading.Barrier(3, timeout=20)

    def run(_: int) -> None:
        try:
            barrier.wait()
            for attempt in range(50):
                try:
                    record_events(1, last + 1, using="default", now=time.time())
                    return
                except Exception:
                    if attempt == 49 or connection.vendor != "sqlite":  # SQLite's lock: the next round tries again
                        raise
                    time.sleep(0.05)
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert len(ids()) == len(set(ids())) == 30
    assert ConversionPerson.objects.count() == 30
