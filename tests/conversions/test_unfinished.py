"""An event is not due before it is finished, what was taken for sending is never changed, and nothing stays behind."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import connection, transaction
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from tests.conversions.samples import PLAIN, PURCHASE, body, paid, row, rows, with_line
from tests.delivery.samples import FakeClient, event_ids
from tests.shop.models import Order, OrderLine
from tests.visitor.undone import rolled_back
from tiktok_attribution import Conversion, tasks
from tiktok_attribution.conversions import finishing
from tiktok_attribution.conversions.finishing import finish_everywhere
from tiktok_attribution.conversions.recorded import Recorded
from tiktok_attribution.delivery import manual, outages, outbox, pixel_sender
from tiktok_attribution.delivery.consent_hold import Key, Theirs, release
from tiktok_attribution.models import OutboxEvent, State
from tiktok_attribution.signals import event_recorded

pytestmark = pytest.mark.django_db(transaction=True)
Configure = Callable[..., None]
A_MINUTE = finishing.AFTER_SECONDS


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.site"
    configure(PURCHASE)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """What workers of this test send."""
    client = FakeClient()
    monkeypatch.setattr(pixel_sender, "Client", client)
    return client


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(tasks, "wake_worker", lambda pixel_code, using: given.append(pixel_code))
    return given


@contextmanager
def killed() -> Iterator[None]:
    """The process dies right after the commit: of its hooks none runs."""
    with transaction.atomic():
        yield
        connection.run_on_commit = []


def skus(**fields: Any) -> list[str]:
    sent = json.loads(row(**fields).payload)
    return [item["content_id"] for item in sent["properties"].get("contents", ())]


def a_minute_later() -> int:
    return finish_everywhere(now=time.time() + A_MINUTE + 1)


class TestInATransaction:
    def test_a_worker_between_the_commit_and_the_rebuild_sends_nothing(self, sent: FakeClient) -> None:
        with transaction.atomic():
            transaction.on_commit(pixel_sender.deliver_all)
            with_line(paid())
        between = list(sent.bodies)
        pixel_sender.deliver_all()

        assert between == []
        assert sent.bodies[0].decode().endswith(f'"data":[{row().payload}]}}')
        assert skus() == ["tea"]

    def test_a_line_after_the_second_save_goes_along(self) -> None:
        with transaction.atomic():
            order = with_line(paid(), "first")
            order.save()
            with_line(order, "second")
        assert skus() == ["first", "second"]
        assert row().due_at is not None

    @pytest.mark.parametrize("how", ["save", "bulk_create", "sql"])
    def test_a_line_that_is_added_after_a_whole_order_was_paid_goes_along(self, how: str) -> None:
        order = with_line(Order.objects.create(total=5), "first")
        with transaction.atomic():
            order.status = "paid"
            order.save()
            fields: dict[str, Any] = {"order": order, "sku": "second", "title": "Tea", "unit_price": 1}
            if how == "save":
                OrderLine.objects.create(**fields)
            elif how == "bulk_create":
                OrderLine.objects.bulk_create([OrderLine(**fields)])
            else:
                columns = "order_id, sku, title, unit_price, quantity"
                with connection.cursor() as cursor:
                    cursor.execute(
                        f"insert into shop_orderline ({columns}) values (%s, 'second', 'Tea', 1, 1)",  # noqa: S608
                        [order.pk],
                    )
        assert skus() == ["first", "second"]

    def test_a_worker_can_not_take_it_before_that_line_is_in_it(self, sent: FakeClient) -> None:
        order = with_line(Order.objects.create(total=5), "first")
        with transaction.atomic():
            transaction.on_commit(pixel_sender.deliver_all)
            order.status = "paid"
            order.save()
            with_line(order, "second")
        assert sent.bodies == []
        pixel_sender.deliver_all()
        assert sent.bodies[0].decode().endswith(f'"data":[{row().payload}]}}')

    def test_a_total_that_no_signal_tells_of_goes_along(self, configure: Configure) -> None:
        configure(PLAIN)
        with transaction.atomic():
            order = paid(total=0)
            Order.objects.filter(pk=order.pk).update(total=12)
        assert (body()["properties"]["value"], str(row().value)) == (12, "12.000000")

    def test_a_line_whose_savepoint_is_rolled_back_does_not_and_nothing_waits_for_it(self, sent: FakeClient) -> None:
        order = with_line(Order.objects.create(total=5), "first")
        with transaction.atomic():
            order.status = "paid"
            order.save()
            with rolled_back():
                with_line(order, "second")
        assert (skus(), row().unfinished_since) == (["first"], None)
        assert row().due_at is not None

    def test_a_line_after_such_a_rollback_does(self, sent: FakeClient) -> None:
        order = with_line(Order.objects.create(total=5), "first")
        with transaction.atomic():
            transaction.on_commit(pixel_sender.deliver_all)
            order.status = "paid"
            order.save()
            with rolled_back():
                with_line(order, "second")
            with_line(order, "third")
        assert sent.bodies == []
        assert skus() == ["first", "third"]

    def test_a_class_that_reads_what_only_it_knows_is_built_again(
        self, configure: Configure, register: Callable[..., Any]
    ) -> None:
        class Purchase(Conversion):
            event = "Purchase"

            def happened(self, obj: Order) -> bool:
                return obj.status == "paid"

            def properties(self, obj: Order) -> Any:
                return {"contents": [{"content_id": line.sku} for line in obj.lines.all()]}

        configure()
        register(Order)(Purchase)
        with transaction.atomic():
            order = with_line(paid(), "first")
            order.save()
            with_line(order, "second")
        assert skus() == ["first", "second"]

    def test_what_never_has_lines_is_finished_without_them_when_nobody_can_add_any(self, hints: list[str]) -> None:
        with transaction.atomic():
            paid()
        assert (row().due_at, hints) == (None, [])
        a_minute_later()
        assert row().due_at is not None
        assert row().note.startswith("contents are empty")
        assert len(hints) == 1

    def test_an_order_that_comes_to_be_refused_before_the_commit_is_not_sent(self, configure: Configure) -> None:
        configure({**PURCHASE, "skip": lambda order: order.lines.filter(sku="pills").exists()})
        with transaction.atomic():
            with_line(paid(), "pills")
        assert rows() == []

    def test_an_order_that_is_gone_by_then_goes_as_it_was(self) -> None:
        with transaction.atomic():
            order = with_line(paid(), "first")
            order.save()
            with_line(order, "second")
            Order.objects.all().delete()
        assert skus() == ["first"]
        assert row().due_at is not None


class TestWhatItCosts:
    """Statements up to and with the commit, of an order whose lines are there before it is paid."""

    def paying(self, lines: int, *, more: int = 0) -> list[str]:
        order = Order.objects.create(total=5)
        for number in range(lines):
            with_line(order, f"sku {number}")
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            order.status = "paid"
            order.save()
            for number in range(more):
                with_line(order, f"more {number}")
        return [query["sql"] for query in captured]

    @pytest.mark.parametrize("lines", [1, 5, 25])
    def test_an_ordinary_order_is_not_built_again_nor_updated(self, lines: int) -> None:
        statements = self.paying(lines)
        assert sum("SELECT" in one and "shop_orderline" in one for one in statements) == 1
        assert not [one for one in statements if one.startswith("UPDATE") and "tiktok" in one]

    def test_lines_that_come_later_cost_the_same_however_many(self) -> None:
        outages.known_lately("default")  # asked once a minute
        costs = [len(self.paying(1, more=more)) - more for more in (1, 5, 25)]
        assert costs[0] == costs[1] == costs[2] <= len(self.paying(1)) + 15

    def test_nothing_is_left_on_the_connection(self) -> None:
        before = list(connection.execute_wrappers)
        self.paying(1)
        Order.objects.count()
        assert connection.execute_wrappers == before
        with rolled_back():
            with_line(paid())
        Order.objects.count()
        assert connection.execute_wrappers == before

    def test_a_wrapper_of_the_sites_own_that_ends_meanwhile_takes_its_own_off(self) -> None:
        seen: list[str] = []

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            seen.append(sql)
            return execute(sql, params, many, context)

        with transaction.atomic():
            with connection.execute_wrapper(watch):
                order = with_line(paid(), "first")
                order.save()
            count = len(seen)
            with_line(order, "second")
        assert skus() == ["first", "second"]
        assert len(seen) == count


@pytest.mark.faults
class TestAProcessThatIsKilledBetweenTheCommitAndTheRebuild:
    @pytest.fixture(autouse=True)
    def _order(self, _site: None) -> None:
        with killed():
            with_line(paid(), "first")

    def test_nothing_is_sent_before_it_is_whole(self, sent: FakeClient) -> None:
        pixel_sender.deliver_all()
        assert (sent.bodies, row().state) == ([], State.WAITING)

    @pytest.mark.parametrize("by", ["sweep", "tiktok_backfill", "tiktok_deliver", "a later save, and the sweep"])
    def test_it_is_finished(self, by: str, sent: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        OutboxEvent.objects.update(unfinished_since=time.time() - A_MINUTE - 1)
        if by.startswith("a later"):
            Order.objects.get().save()
        if by.endswith("sweep"):
            monkeypatch.setattr(tasks.deliver, "apply_async", lambda *args, **options: None)
            tasks.sweep()
        else:
            call_command(by, verbosity=0)
        pixel_sender.deliver_all()
        assert skus(state=State.DELIVERED) == ["first"]
        assert sent.bodies[0].decode().endswith(f'"data":[{row().payload}]}}')

    def test_not_before_its_own_process_may_be_done(self) -> None:
        finish_everywhere()
        assert row().due_at is None

    def test_two_who_do_it_at_once_do_it_once(self, hints: list[str]) -> None:
        def work(_: int) -> None:
            try:
                a_minute_later()
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))
        assert len(hints) == 1
        assert skus() == ["first"]


class TestOfWhom:
    def test_whoever_finishes_it_keeps_the_visitor_and_the_page(self, configure: Configure) -> None:
        configure(PURCHASE, TRUSTED_PROXIES=[])
        client = Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux)"}, REMOTE_ADDR="81.2.69.142")
        client.get("/thanks/?ttclid=abc")
        with pytest.raises(KeyboardInterrupt):
            client.get("/growing/?dies")
        first = json.loads(row().payload)
        a_minute_later()
        last = json.loads(row().payload)

        assert first["user"]["ttclid"] == "abc"
        assert {**first, "properties": None} == {**last, "properties": None}
        assert skus() == ["sku 0"]

    def test_an_answer_releases_it_and_it_goes_when_it_is_finished(
        self, configure: Configure, sent: FakeClient
    ) -> None:
        configure(PURCHASE, CONSENT=lambda request: None)
        with pytest.raises(KeyboardInterrupt):
            Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux)"}).get("/growing/?dies")
        held = row(state=State.AWAITING_CONSENT)
        release(Theirs([Key(held.pixel_code, held.name, held.event_id)], []))
        pixel_sender.deliver_all()
        before = list(sent.bodies)
        a_minute_later()
        pixel_sender.deliver_all()

        assert before == []
        assert skus(state=State.DELIVERED) == ["sku 0"]

    def test_a_held_one_is_finished_and_still_held(self, configure: Configure) -> None:
        configure(PURCHASE, CONSENT=lambda request: None)
        Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux)"}).get("/growing/")
        assert (skus(state=State.AWAITING_CONSENT), row().due_at, row().unfinished_since) == (["sku 0"], None, None)


class TestWhatSomebodyDecidedMeanwhile:
    @pytest.fixture(autouse=True)
    def _order(self, _site: None) -> None:
        with killed():
            with_line(paid(), "first")

    def test_what_was_cancelled_stays_so(self) -> None:
        manual.cancel(OutboxEvent.objects.all(), now=time.time())
        a_minute_later()
        assert (row().state, row().due_at, row().unfinished_since, skus()) == (State.CANCELLED, None, None, [])

    def test_what_was_sent_again_by_hand_is_not_changed_any_more(self, sent: FakeClient) -> None:
        manual.cancel(OutboxEvent.objects.all(), now=time.time())
        manual.retry(OutboxEvent.objects.all(), now=time.time())
        a_minute_later()
        pixel_sender.deliver_all()
        assert sent.bodies[0].decode().endswith(f'"data":[{row().payload}]}}')
        assert (row().state, skus()) == (State.DELIVERED, [])

    def test_what_was_erased_stays_empty(self) -> None:
        OutboxEvent.objects.update(state=State.BROWSER_ONLY)
        for one in rows():
            one.payload = ""
            one.save()
        a_minute_later()
        assert (row().payload, row().unfinished_since) == ("", None)

    def test_an_undeclared_one_goes_as_it_is(self, configure: Configure) -> None:
        configure()
        a_minute_later()
        assert row().due_at is not None

    def test_one_that_can_not_be_built_goes_as_it_is(self, configure: Configure) -> None:
        configure({**PURCHASE, "value": lambda order: 1 / 0})
        a_minute_later()
        assert row().due_at is not None


class TestWithoutATransaction:
    def test_lines_that_a_request_saves_after_its_paid_order_are_in_the_event(self, hints: list[str]) -> None:
        Client().get("/growing/?lines=3")
        assert skus() == ["sku 0", "sku 1", "sku 2"]
        assert row().due_at is not None
        assert len(hints) == 1

    def test_though_the_order_is_saved_in_between(self) -> None:
        Client().get("/growing/?lines=2&save")
        assert skus() == ["sku 0", "sku 1"]

    def test_also_in_an_async_view(self) -> None:
        async def ask() -> None:
            await AsyncClient().get("/growing-async/?lines=2")

        async_to_sync(ask)()
        assert skus() == ["sku 0", "sku 1"]

    def test_also_where_a_line_was_there_before(self) -> None:
        Client().get("/grown-before/")
        assert skus() == ["sku 0", "sku 1"]

    def test_also_where_order_and_lines_have_a_transaction_each(self, sent: FakeClient) -> None:
        with transaction.atomic():
            order = paid()
        pixel_sender.deliver_all()
        with transaction.atomic():
            with_line(order)
        a_minute_later()
        pixel_sender.deliver_all()
        assert skus(state=State.DELIVERED) == ["tea"]
        assert [event_ids(one) for one in sent.bodies] == [[row().event_id]]

    def test_a_task_or_command_leaves_it_to_the_sweep(self, sent: FakeClient) -> None:
        order = paid()
        pixel_sender.deliver_all()
        with_line(order)
        assert sent.bodies == []
        a_minute_later()
        assert skus() == ["tea"]

    def test_an_order_that_a_task_marks_as_paid_goes_at_once(self) -> None:
        order = with_line(Order.objects.create(total=5))
        order.status = "paid"
        order.save()
        assert row().due_at is not None

    def test_what_has_no_contents_goes_at_once(self, configure: Configure) -> None:
        configure(PLAIN)
        Client().get("/checkout/?status=paid")
        assert (row().due_at is not None, row().unfinished_since) == (True, None)

    def test_listeners_hear_of_the_whole_event_once(self) -> None:
        heard: list[str] = []

        def listen(event: OutboxEvent, **kwargs: Any) -> None:
            heard.append(event.payload)

        event_recorded.connect(listen)
        try:
            Client().get("/growing/?lines=2")
        finally:
            event_recorded.disconnect(listen)
        assert heard == [row().payload]

    def test_they_hear_of_it_once_where_the_sweep_is_quicker_than_a_slow_request(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard: list[str] = []
        again = Recorded._again

        def slowly(recorded: Recorded) -> Any:
            monkeypatch.undo()
            assert a_minute_later() == 1
            return again(recorded)

        def listen(event: OutboxEvent, **kwargs: Any) -> None:
            heard.append(event.event_id)

        event_recorded.connect(listen)
        try:
            monkeypatch.setattr(Recorded, "_again", slowly)
            Client().get("/growing/?lines=2")
        finally:
            event_recorded.disconnect(listen)
        assert heard == [row().event_id]

    @pytest.mark.faults
    def test_what_fails_at_the_end_of_the_request_breaks_no_answer_and_is_done_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(Recorded, "_finish", fail)
            assert Client().get("/growing/").status_code == 200
        a_minute_later()
        assert skus() == ["sku 0"]


def test_a_body_is_changed_by_nobody_once_it_is_due() -> None:
    """Whatever the clocks say: the guard asks no clock."""
    with_line(Order.objects.create(total=5))
    order = Order.objects.get()
    order.status = "paid"
    order.save()
    due = row()
    due.payload = "another"
    assert not outbox.finish(due, using="default", now=0, rebuilt=True)
    assert row().payload != "another"
