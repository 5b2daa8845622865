from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.delivery.samples import NOW, PIXEL, fill, only_row, row
from tests.shop.models import Order
from tiktok_attribution.delivery import outbox
from tiktok_attribution.models import EventBody, OutboxEvent, State, moment

pytestmark = pytest.mark.django_db


def add(number: int = 0, **changes: object) -> bool:
    return outbox.add(row(number, **changes), using="default")


def test_a_row_gets_in() -> None:
    assert add()
    assert only_row().event_id == "order-0"


def test_every_column_gets_in() -> None:
    own = row(
        value="19.90", currency="EUR", object_label="shop.order", object_pk="7", note="a note", wants_browser=True
    )
    outbox.add(own, using="default")
    found = only_row()
    columns = [field.attname for field in OutboxEvent._meta.concrete_fields if field.attname != "value"]

    assert {name: getattr(found, name) for name in columns} == {name: getattr(own, name) for name in columns}


def test_a_row_that_got_in_knows_its_key() -> None:
    own = row()
    outbox.add(own, using="default")

    assert own.pk == only_row().pk
    assert not own._state.adding


def test_the_same_event_gets_in_once() -> None:
    add()

    assert not add()
    assert OutboxEvent.objects.count() == 1


def test_the_first_stands() -> None:
    add(note="first")
    add(note="second")

    assert only_row().note == "first"


@pytest.mark.parametrize("changes", [{"pixel_code": "ANOTHER"}, {"name": "AddToCart"}, {"event_id": "order-1"}])
def test_another_event_gets_in_beside_it(changes: dict[str, str]) -> None:
    add()

    assert add(**changes)


def test_ids_that_differ_in_case_are_two_events() -> None:
    assert add(event_id="order-a")
    assert add(event_id="order-A")


def test_a_valid_row_replaces_an_invalid_one() -> None:
    add(state=State.INVALID, due_at=None, payload="", note="the currency is gone")

    assert add()
    assert (only_row().state, only_row().note, only_row().due_at) == (State.WAITING, "", NOW - 1)


def test_a_replaced_row_keeps_its_key() -> None:
    add(state=State.INVALID, due_at=None)
    first, own = only_row().pk, row()
    outbox.add(own, using="default")

    assert (own.pk, only_row().pk) == (first, first)


def test_an_invalid_row_replaces_nothing() -> None:
    add()

    assert not add(state=State.INVALID, due_at=None)
    assert only_row().state == State.WAITING


def test_an_invalid_row_stands_once() -> None:
    add(state=State.INVALID, due_at=None)

    assert not add(state=State.INVALID, due_at=None)


def test_a_duplicate_leaves_the_callers_transaction_usable() -> None:
    with transaction.atomic():
        add()
        add()
        Order.objects.create()

    assert Order.objects.count() == 1


def test_a_row_that_the_database_refuses_raises_and_costs_the_savepoint_only() -> None:
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic():
            add(note=None)
        Order.objects.create()

    assert (Order.objects.count(), OutboxEvent.objects.count()) == (1, 0)


@pytest.mark.on_engine("postgres", "mariadb")
def test_no_text_is_cut_in_silence() -> None:
    with pytest.raises(DatabaseError):
        add(note="n" * 501)


def test_a_broken_table_costs_the_savepoint_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for statement in ("_into", "_in_one_statement"):
        monkeypatch.setattr(outbox, statement, lambda *of: "INSERT INTO no_such_table DEFAULT VALUES")
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic():
            add()
        Order.objects.create()

    assert Order.objects.count() == 1


def test_a_rolled_back_caller_leaves_no_row() -> None:
    with transaction.atomic():
        add()
        transaction.set_rollback(True)

    assert OutboxEvent.objects.count() == 0


def test_known_ids_are_found() -> None:
    fill(3)

    assert outbox.known_event_ids(PIXEL, "Purchase", ["order-1", "order-9"], using="default") == {"order-1"}


def test_an_invalid_row_is_not_known() -> None:
    add(state=State.INVALID, due_at=None)

    assert outbox.known_event_ids(PIXEL, "Purchase", ["order-0"], using="default") == set()


def test_another_pixels_id_is_not_known() -> None:
    fill(1)

    assert outbox.known_event_ids("ANOTHER", "Purchase", ["order-0"], using="default") == set()


def test_events_of_a_moment_fall_into_one_lane() -> None:
    begun = 1_790_000_000.0

    assert len({outbox.lane_at(begun + outbox.LANE_SECONDS * part / 20, 8) for part in range(20)}) == 1


def test_events_spread_over_the_lanes_as_time_goes_by() -> None:
    found = [outbox.lane_at(1_790_000_000 + number / 100, 4) for number in range(1000)]

    assert set(found) == {0, 1, 2, 3}
    assert all(200 < found.count(lane) < 300 for lane in range(4))


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_gets_in() -> None:
    start, inserted = threading.Barrier(4), []

    def try_one() -> None:
        start.wait(10)
        try:
            inserted.append(outbox.add(row(created_at=moment(NOW)), using="default"))
        finally:
            connection.close()

    threads = [threading.Thread(target=try_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(inserted) == [False, False, False, True]


@pytest.mark.on_engine("postgres")
def test_postgresql_gets_both_rows_in_one_statement() -> None:
    add()
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        add(1)
        add(1)

    inserts = [query["sql"] for query in queries if "INSERT" in query["sql"]]
    assert len(inserts) == 2
    assert OutboxEvent.objects.count() == EventBody.objects.count() == 2


def test_marking_leaves_the_body_where_it_is() -> None:
    add()
    with CaptureQueriesContext(connection) as queries:
        OutboxEvent.objects.filter(state=State.WAITING).update(state=State.DELIVERED, due_at=None)

    assert [query["sql"] for query in queries if EventBody._meta.db_table in query["sql"]] == []
