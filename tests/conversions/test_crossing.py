"""Transactions that record the same event ids at once: who waits for whom, who gives way, and what is said of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from tests.conversions.samples import row, rows
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.delivery.outbox import insert as insert_as_usual
from tiktok_attribution.models import EventBody, State

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("configure")]
on_servers = pytest.mark.on_engine("postgres", "mariadb")
SECONDS = 20
"""Until a test that waits in vain gives up."""

LEAD_OF_ORDER = {"event": "Lead", "event_id": "customer_id"}


def track_lead(event_id: str) -> None:
    Order.objects.create(customer_id=event_id)
    track(None, "Lead", event_id=event_id)


def save_order(event_id: str) -> None:
    """Its declaration records the event."""
    Order.objects.create(customer_id=event_id)


@contextmanager
def counted(inserts: list[str]) -> Iterator[None]:
    """Which INSERTs of a body this thread sends, in whatever statement."""

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        if "INSERT INTO" in sql and EventBody._meta.db_table in sql:
            inserts.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        yield


@on_servers
@pytest.mark.parametrize("record", [track_lead, save_order])
def test_of_two_that_wait_for_each_other_one_gives_way_and_says_so(
    configure: Configure, record: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    configure(LEAD_OF_ORDER if record is save_order else None)
    # Ids of this test alone: over one that an earlier test deleted, InnoDB locks its neighbours too until it is purged.
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    both_have_one = threading.Barrier(2, timeout=SECONDS)
    inserts: list[str] = []

    def checkout(one: str, other: str) -> OperationalError | None:
        try:
            with counted(inserts), transaction.atomic():
                record(one)
                both_have_one.wait()
                record(other)
        except OperationalError as error:
            return error
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(checkout, first, second), pool.submit(checkout, second, first)]
        failures = [one.result() for one in running]

    assert {one.event_id: one.state for one in rows()} == {first: State.WAITING, second: State.WAITING}
    assert len(rows()) == 2
    (said,) = caplog.records
    assert (said.levelname, "deadlock" in said.getMessage()) == ("WARNING", True)
    assert len(inserts) == 4, "who gave way has waited for the same lock again"
    if connection.vendor == "postgresql":
        assert failures == [None, None]
        assert Order.objects.count() == 4
        assert "the other one records the same event id" in said.getMessage()
    else:  # InnoDB has rolled back the whole of one checkout, and that one must not be thanked for
        assert [type(one) for one in failures if one] == [OperationalError]
        assert Order.objects.count() == 2
        assert "has rolled back the transaction" in said.getMessage()


@contextmanager
def waiting_shortly() -> Iterator[None]:
    """This connection gives up a lock soon."""
    name, soon = ("lock_timeout", "'50ms'") if connection.vendor == "postgresql" else ("innodb_lock_wait_timeout", "1")
    with connection.cursor() as cursor:
        cursor.execute(f"SET {name} = {soon}")
        yield
        cursor.execute(f"SET {name} = DEFAULT")


@on_servers
@pytest.mark.parametrize("other_commits", [True, False])
def test_who_may_not_wait_that_long_goes_on_without_the_event(
    other_commits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    recorded, given_up = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                track(None, "Lead", event_id="a")
                recorded.set()
                assert given_up.wait(SECONDS)
                transaction.set_rollback(not other_commits)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert recorded.wait(SECONDS)
        with waiting_shortly(), transaction.atomic():
            track_lead("a")
        given_up.set()
        held.result()

    assert Order.objects.count() == 1
    assert [one.event_id for one in rows()] == ["a"] * other_commits
    (said,) = caplog.records
    assert said.levelname == "WARNING"
    assert "another transaction held a lock for longer than" in said.getMessage()


@pytest.mark.on_engine("sqlite", "mariadb")
@pytest.mark.parametrize("record", [track_lead, save_order])
def test_a_transaction_that_the_database_took_back_whole_is_not_passed_over(
    configure: Configure, record: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """InnoDB does so with the victim of a deadlock; Django then ends the block with neither commit nor error."""
    configure(LEAD_OF_ORDER if record is save_order else None)

    def insert(row: object, using: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
        raise OperationalError(1213, "Deadlock found when trying to get lock; try restarting transaction")

    monkeypatch.setattr("tiktok_attribution.delivery.outbox.insert", insert)
    with pytest.raises(OperationalError, match="Deadlock found"), transaction.atomic():
        record("a")
    assert Order.objects.count() == 0


def test_another_failure_of_the_outbox_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def insert(row: object, using: str) -> bool:
        if getattr(row, "state", "") == State.INVALID:
            return insert_as_usual(row, using)  # type: ignore[arg-type]
        raise OperationalError("no space left")

    monkeypatch.setattr("tiktok_attribution.delivery.outbox.insert", insert)
    with transaction.atomic():
        track_lead("a")
    assert Order.objects.count() == 1
    assert row().state == State.INVALID
