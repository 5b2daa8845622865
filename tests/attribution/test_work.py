"""The background work: run by the sweep and the loop, idle without writes, and over several databases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from tests.attribution.models import Sale
from tests.attribution.samples import PURCHASE, REFUNDABLE, clicked, sold, worked
from tiktok_attribution import tasks
from tiktok_attribution.attribution import roll_up, work
from tiktok_attribution.attribution.passes import KeyPass, next_step
from tiktok_attribution.delivery import turns
from tiktok_attribution.models import DailyAttribution, Heartbeat, OutboxEvent, RecordedConversion

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_sweep_runs_it(configure: Configure) -> None:
    sold()
    tasks.sweep()
    assert RecordedConversion.objects.count() == 1


def test_the_command_that_delivers_runs_it(configure: Configure) -> None:
    sold()
    Heartbeat.objects.filter(pk=work.TURN).delete()
    turns.run_chore(turns.ATTRIBUTION)
    assert DailyAttribution.objects.exists()


def test_it_is_due_to_one_process_at_a_time(configure: Configure) -> None:
    assert work.is_due()
    assert not work.is_due()


def test_an_idle_round_writes_nothing(configure: Configure) -> None:
    configure(REFUNDABLE, join=("email",))
    clicked(time.time() - 60)
    sold(email="ada@example.com")
    now = time.time()
    worked(now)
    with CaptureQueriesContext(connection) as queries:
        work.work(now=now + 20)
    writes = [query["sql"] for query in queries if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]
    assert writes == []
    assert len(queries) < 30


def test_an_error_of_one_part_does_not_stop_the_others(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**kwargs: object) -> int:
        raise OperationalError("secret@example.com")

    monkeypatch.setattr("tiktok_attribution.attribution.site_objects.read_changed", broken)
    sold()
    worked()
    assert DailyAttribution.objects.exists()
    assert "attribution, changed: OperationalError" in caplog.text
    assert "secret" not in caplog.text


def test_a_day_that_fails_does_not_stop_the_others(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sold(), sold()
    OutboxEvent.objects.filter(object_pk=str(first.pk)).update(event_time=int(time.time()) - 5 * 86_400)
    real = roll_up.rows_of
    broken = []

    def rows_of(day: object, shop: str, *, using: str) -> list[DailyAttribution]:
        if not broken:
            broken.append(day)
        if day == broken[0]:
            raise ZeroDivisionError
        return real(day, shop, using=using)  # type: ignore[arg-type]

    monkeypatch.setattr(roll_up, "rows_of", rows_of)
    work.work(seconds=20)
    assert {row.day for row in DailyAttribution.objects.all()} != set()
    assert broken[0] not in {row.day for row in DailyAttribution.objects.all()}
    assert second.pk


def test_conversions_of_every_outbox_are_in_one_place(configure: Configure, other: str) -> None:
    configure(REFUNDABLE)
    here = sold("10.00")
    there = Sale(status="paid", total=20, pk=here.pk + 1)
    there.save(using=other)
    worked()
    assert RecordedConversion.objects.count() == 2
    assert not RecordedConversion.objects.using(other).exists()
    there.refunded_total = 5
    there.save(using=other)
    worked()
    assert RecordedConversion.objects.get(object_pk=str(there.pk)).refunded == 5
    Sale.objects.using(other).update(refunded_total=7)
    worked(time.time() + 86_500)
    assert RecordedConversion.objects.get(object_pk=str(there.pk)).refunded == 7
    assert RecordedConversion.objects.get(object_pk=str(here.pk)).refunded == 0


def steps(one: KeyPass, keys: list[int], now: float) -> Iterator[tuple[int, int]]:
    while (
        step := next_step(
            one,
            using="default",
            now=now,
            keys=10,
            begin=lambda: keys[0],
            end=lambda: keys[-1] + 1,
            above=lambda key: next((one for one in keys if one >= key), None),
        )
    ) is not None:
        yield step


def test_a_pass_takes_every_key_once_and_jumps_over_gaps() -> None:
    one, keys = KeyPass("a-pass", 60), [1, 2, 9, 11, 500, 505, 510, 100_000]
    taken = list(steps(one, keys, 1000.0))
    assert [sum(low <= key < high for low, high in taken) for key in keys] == [1] * len(keys)
    assert len(taken) == 5
    assert list(steps(one, keys, 1030.0)) == []
    assert len(list(steps(one, keys, 1061.0))) == 5


def test_a_short_pass_writes_once() -> None:
    one = KeyPass("a-pass", 60)
    list(steps(one, [1], 1000.0))
    with CaptureQueriesContext(connection) as queries:
        assert list(steps(one, [1, 5], 1100.0)) == [(1, 6)]
    assert sum(query["sql"].startswith(("UPDATE", "INSERT")) for query in queries) == 1


def test_a_plain_declaration_is_enough(configure: Configure) -> None:
    configure(PURCHASE)
    sold()
    assert worked()["recorded"] == 1
