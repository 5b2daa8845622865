"""The database refuses rows of this app while orders come in: whatever a visitor refused then is not known later."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import DataError, OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conversions.models import Ticket
from tests.conversions.samples import EMAIL, PLAIN, rows
from tests.shop.models import Member, Order
from tiktok_attribution import paused, recheck
from tiktok_attribution.conversions import backfill
from tiktok_attribution.conversions.backfill import backfill_recent
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.outages import JOIN_SECONDS, MARGIN_SECONDS, SPARE, Outage
from tiktok_attribution.models import Heartbeat, SuppressedCount, VisitorSnapshot
from tiktok_attribution.visitor.snapshot import Signals, keep

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.privacy]
Configure = Callable[..., None]
DATED = {**PLAIN, "time": "created_at"}
HOUR = 3600
OURS = "tiktok_attribution_"
SNAPSHOTS = VisitorSnapshot._meta.db_table
GPC = {"sec-gpc": "1"}


@pytest.fixture(autouse=True)
def site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.site"
    configure(DATED)
    cache.clear()
    Heartbeat.objects.create(pk=backfill.FIRST, seen_at=time.time() - 100 * HOUR)
    outages.prepare("default")


@contextmanager
def refusing(*statements: str, table: str = OURS, error: type[Exception] = OperationalError) -> Iterator[None]:
    """The database refuses such statements over tables whose name begins so."""
    statements = statements or ("INSERT",)

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if table in sql and any(one in sql for one in statements):
            raise error(f"no space left for {EMAIL}")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        yield


def order_of(path: str = "/checkout/?status=paid", *, headers: Any = None) -> Order:
    """Of a visitor with a browser of their own, by default one who accepts."""
    client: Any = Client()
    return Order.objects.get(pk=int(client.get(path, headers=headers or {}).content))


def unseen(*, hours_ago: float) -> Order:
    """An order that no signal told of."""
    (made,) = Order.objects.bulk_create([Order(status="paid", total=5)])
    order = Order.objects.latest("pk") if made.pk is None else made
    Order.objects.filter(pk=order.pk).update(created_at=timezone.now() - timedelta(hours=hours_ago))
    return order


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("tiktok_backfill", *arguments, stdout=out)
    return out.getvalue()


def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered that was not written down."""
    monkeypatch.setattr(outages, "_own", {})
    monkeypatch.setattr(outages, "_lately", {})


def stored_outages() -> list[tuple[str, float]]:
    return list(Heartbeat.objects.filter(pk__startswith="outage:").values_list("pk", "seen_at"))


@pytest.mark.parametrize("table", [OURS, SNAPSHOTS])
@pytest.mark.parametrize("is_same_process", [True, False])
def test_no_backfill_records_an_order_whose_refusal_could_not_be_kept(
    table: str, is_same_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that goes on even writes the refusal down with its next row."""
    with refusing(table=table):
        order_of(headers=GPC)
    before = unseen(hours_ago=2)
    if not is_same_process:
        another_process(monkeypatch)

    assert backfill_recent() == {"recorded": 1, "with unknown consent": 1}
    told = command()

    assert [one.object_pk for one in rows()] == [str(before.pk)]
    assert ("1 known, 1 refused" if is_same_process else "1 known, 1 with unknown consent") in told
    assert ("run this again with --unknown-consent" in told) is not is_same_process


def test_what_an_accepting_visitor_ordered_then_is_not_known_to_be_allowed_either() -> None:
    with refusing():
        order_of()
    assert "1 with unknown consent" in command()
    assert rows() == []


def test_the_command_records_it_where_the_site_says_so() -> None:
    with refusing():
        order = order_of()
    assert "1 to be recorded" in command("--dry-run", "--unknown-consent")
    assert "1 recorded" in command("--unknown-consent")
    assert [one.object_pk for one in rows()] == [str(order.pk)]


def test_a_recheck_refuses_it_unless_the_site_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing():
        order = order_of(headers=GPC)
    another_process(monkeypatch)
    assert recheck(order) == []
    assert rows() == []
    assert SuppressedCount.objects.get().reason == "unknown consent"
    assert recheck(order, unknown_consent=True) == [f"order-{order.pk}"]


def test_a_webhook_does_not_record_what_was_ordered_then(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing():
        order = order_of("/checkout/", headers=GPC)
    another_process(monkeypatch)
    Client().get(f"/hooks/pay/?order={order.pk}")
    order.refresh_from_db()
    assert order.status == "paid"
    assert rows() == []


def test_a_second_save_of_the_same_request_does_not_record_it() -> None:
    with refusing(table=SNAPSHOTS):
        order = order_of("/checkout/", headers=GPC)
        order.status = "paid"
        order.save()
    assert rows() == []


def test_an_order_whose_visitor_was_kept_is_recorded() -> None:
    with refusing():
        order = order_of()
    keep(Signals(by_visitor=True), "shop.Order", order.pk, using="default")
    assert backfill_recent() == {"recorded": 1}


def test_an_order_whose_declaration_knows_the_consent_is_recorded(configure: Configure) -> None:
    configure({**DATED, "consent": lambda order: True})
    with refusing():
        order_of()
    assert backfill_recent() == {"recorded": 1}


def test_an_import_of_that_time_can_not_be_told_from_a_visitors_order() -> None:
    with refusing():
        order_of()
    unseen(hours_ago=0)
    assert backfill_recent() == {"with unknown consent": 2}


def test_what_was_invalid_then_was_no_refusal(configure: Configure) -> None:
    configure({**DATED, "value": {"constant": -1}})
    Order.objects.create(status="paid", total=5)
    with refusing():
        order_of()
    configure(DATED)
    assert backfill_recent() == {"recorded": 1, "with unknown consent": 1}


@pytest.mark.faults
def test_what_paused_could_not_mark_is_not_recorded() -> None:
    with refusing(), paused():
        Order.objects.create(status="paid", total=5)
    assert backfill_recent() == {"with unknown consent": 1}


def test_an_event_that_could_not_be_kept_is_an_outage_too() -> None:
    with refusing():
        Order.objects.create(status="paid", total=5)
    assert backfill_recent() == {"with unknown consent": 1}


class TestWhatRemembersIt:
    def test_the_spare_row_becomes_the_outage_where_no_row_can_be_inserted(self) -> None:
        with refusing():
            order_of(headers=GPC)
        ((name, until),) = stored_outages()
        assert time.time() - 60 < float(name.removeprefix("outage:")) <= until <= time.time()
        assert not Heartbeat.objects.filter(pk=SPARE).exists()
        outages.prepare("default")
        assert Heartbeat.objects.filter(pk=SPARE).exists()

    def test_without_a_spare_row_the_newest_outage_becomes_longer(self) -> None:
        Heartbeat.objects.filter(pk=SPARE).delete()
        begin = int(time.time()) - 5 * HOUR
        Heartbeat.objects.create(pk=f"outage:{begin}", seen_at=begin + 1)
        with refusing():
            order_of(headers=GPC)
        ((name, until),) = stored_outages()
        assert name == f"outage:{begin}"
        assert until > time.time() - 60

    def test_where_nothing_can_be_written_the_cache_has_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with refusing("INSERT", "UPDATE"):
            order_of(headers=GPC)
        assert stored_outages() == []
        another_process(monkeypatch)
        assert backfill_recent() == {"with unknown consent": 1}

    def test_a_cache_that_fails_breaks_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any, **options: Any) -> None:
            raise ConnectionError

        monkeypatch.setattr(cache, "get", fail)
        monkeypatch.setattr(cache, "set", fail)
        with refusing("INSERT", "UPDATE"):
            order_of(headers=GPC)
        assert backfill_recent() == {"with unknown consent": 1}

    def test_the_next_row_of_this_process_writes_down_outage_and_refusal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with refusing("INSERT", "UPDATE"):
            refused = order_of(headers=GPC)
        cache.clear()
        other = order_of()
        assert len(stored_outages()) == 1
        another_process(monkeypatch)
        command("--unknown-consent")
        assert [one.object_pk for one in rows()] == [str(other.pk)]
        assert "opt-out" in VisitorSnapshot.objects.get(object_pk=str(refused.pk)).signals

    def test_the_refusal_of_an_order_that_was_rolled_back_is_no_other_orders(self) -> None:
        with refusing("INSERT", "UPDATE"):
            Client().get("/failing/?status=paid", headers=GPC)
        order_of()
        assert not VisitorSnapshot.objects.filter(signals__contains="opt-out").exists()

    def test_one_outage_is_one_row_however_many_orders_and_processes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with refusing():
            for _ in range(3):
                order_of(headers=GPC)
                another_process(monkeypatch)
        assert len(stored_outages()) == 1

    def test_it_is_written_after_the_commit_and_not_within(self) -> None:
        with refusing(), CaptureQueriesContext(connection) as captured, transaction.atomic():
            Order.objects.create(status="paid", total=5)
            assert not [one for one in captured if "outage" in (one["sql"] or "")]
        assert stored_outages() != []

    def test_it_is_forgotten_with_the_refusals(self, configure: Configure) -> None:
        configure(DATED, SNAPSHOT_DAYS=10)
        for days in (9, 11):
            moment = time.time() - days * 24 * HOUR
            Heartbeat.objects.create(pk=f"outage:{int(moment)}", seen_at=moment)
        assert len(outages.known("default")) == 1
        outages.prepare("default")
        assert len(stored_outages()) == 1

    def test_the_hourly_backfill_makes_the_spare_row(self) -> None:
        Heartbeat.objects.filter(pk=SPARE).delete()
        backfill.is_due()
        assert Heartbeat.objects.filter(pk=SPARE).exists()

    def test_outages_that_touch_are_one(self) -> None:
        now = int(time.time())
        for since, until in ((9000, 8000), (8000 - JOIN_SECONDS, 7000), (1000, 900)):
            Heartbeat.objects.create(pk=f"outage:{now - int(since)}", seen_at=now - until)
        assert outages.known("default") == [Outage(now - 9000, now - 7000), Outage(now - 1000, now - 900)]


class TestWhatIsNoOutage:
    def test_one_value_that_does_not_fit(self) -> None:
        with refusing(error=DataError):
            order_of()
        assert outages.known("default") == []

    def test_a_transaction_that_is_lost_with_its_order(self) -> None:
        def lost() -> None:
            with transaction.atomic(), outages.noticing("default"):
                connection.needs_rollback = True
                raise OperationalError

        with pytest.raises(OperationalError):
            lost()
        assert outages.known("default") == []

    def test_nothing_is_asked_or_written_where_all_is_well(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            order_of()
            order_of(headers=GPC)
        assert not [one for one in captured if Heartbeat._meta.db_table in (one["sql"] or "")]


class TestWhichTimesCount:
    @pytest.fixture(autouse=True)
    def outage(self) -> None:
        begin = int(time.time()) - 3 * HOUR
        Heartbeat.objects.create(pk=f"outage:{begin}", seen_at=begin + HOUR)

    @pytest.mark.parametrize(
        ("hours_ago", "told"),
        [
            (3 + (MARGIN_SECONDS + 60) / HOUR, "recorded"),
            (3 + (MARGIN_SECONDS - 60) / HOUR, "with unknown consent"),
            (2.5, "with unknown consent"),
            (2 - (MARGIN_SECONDS - 60) / HOUR, "with unknown consent"),
            (2 - (MARGIN_SECONDS + 60) / HOUR, "recorded"),
        ],
    )
    def test_those_of_the_outage_and_a_margin(self, hours_ago: float, told: str) -> None:
        unseen(hours_ago=hours_ago)
        assert backfill_recent() == {told: 1}

    def test_when_it_was_made_counts_beside_its_own_time(self, configure: Configure) -> None:
        configure({**PLAIN, "time": lambda order: timezone.now()})
        order = unseen(hours_ago=2.5)
        assert "1 with unknown consent" in command()
        assert recheck(order) == []

    def test_a_date_is_a_whole_day(self, configure: Configure) -> None:
        configure(conversions={"shop.Ticket": {"event": "Schedule", "when": {"used": True}, "time": "used_on"}})
        then = timezone.now() - timedelta(hours=2.5)
        Ticket.objects.bulk_create([Ticket(code="A", used=True, used_on=then.date())])
        Ticket.objects.bulk_create([Ticket(code="B", used=True, used_on=then.date() - timedelta(days=2))])
        assert "1 recorded, 1 with unknown consent" in command()

    def test_an_object_without_any_time_may_be_of_that_one(self, configure: Configure) -> None:
        configure(conversions={"shop.Ticket": {"event": "Schedule", "when": {"used": True}}})
        (ticket,) = Ticket.objects.bulk_create([Ticket(code="A", used=True)])
        assert recheck(ticket) == []
        assert recheck(ticket, unknown_consent=True) == ["ticket-A"]

    def test_what_is_made_now_without_a_visitor_is_recorded(self) -> None:
        Order.objects.create(status="paid", total=5)
        assert len(rows()) == 1

    def test_a_site_whose_code_fails_records_nothing(self, configure: Configure) -> None:
        def fail(order: Order) -> None:
            raise KeyError

        unseen(hours_ago=2.5)
        configure({**DATED, "consent": fail})
        assert "recorded" not in command().replace("not recorded", "")
        assert not [one for one in rows() if one.state != "invalid"]


@pytest.mark.usefixtures("site")
def test_it_is_logged_once_with_its_begin_and_without_data(caplog: pytest.LogCaptureFixture) -> None:
    with refusing():
        order_of(headers=GPC)
        order_of(headers=GPC)
    said = [one.getMessage() for one in caplog.records if "refuses rows" in one.getMessage()]
    assert len(said) == 1
    assert f"since {outages.utc(time.time())[:13]}" in said[0]
    assert {one.levelno for one in caplog.records if "refuses rows" in one.getMessage()} == {logging.ERROR}
    assert EMAIL not in said[0]


@pytest.mark.faults
def test_a_count_that_is_refused_breaks_no_checkout(caplog: pytest.LogCaptureFixture) -> None:
    with refusing(table=SuppressedCount._meta.db_table), transaction.atomic():
        order_of(headers=GPC)
    assert Order.objects.count() == 1
    assert "suppressed events could not be counted (OperationalError)" in caplog.text
    assert EMAIL not in caplog.text


def test_the_end_is_logged_too(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing():
        order_of(headers=GPC)
    later = time.time() + JOIN_SECONDS + 1
    monkeypatch.setattr(outages, "time", lambda: later)
    order_of()  # what is owed is written
    order_of()
    assert "takes rows again" in caplog.text
    assert not outages._own


def test_a_second_outage_begins_another_row(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with refusing():
        order_of(headers=GPC)
    outages.prepare("default")
    later = time.time() + 2 * HOUR
    monkeypatch.setattr(outages, "time", lambda: later)
    with refusing():
        order_of(headers=GPC)
    assert len(stored_outages()) == 2
    assert caplog.text.count("refuses rows of this app") == 2


def test_members_without_a_time_column_are_no_problem_where_there_was_no_outage(configure: Configure) -> None:
    configure(conversions={"shop.Member": {"event": "CompleteRegistration"}})
    (member,) = Member.objects.bulk_create([Member(email=EMAIL)])
    assert recheck(member) == [f"member-{member.pk}"]
