"""Jobs over whole filters: every event once, whoever works and whenever it dies, and never for ever."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from tests.delivery.samples import PIXEL, row
from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.event_search import EventFilter
from tiktok_attribution.models import BulkJob, BulkState, BulkVerb, OutboxEvent, State, moment

REJECTED = EventFilter(state="rejected")
HOUR = 3600


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual, "PAGE_ROWS", 3)
    monkeypatch.setattr(manual, "WIDTH", 5)


def stored(many: int, **values: Any) -> list[OutboxEvent]:
    first = OutboxEvent.objects.count()
    fresh = {"event_time": int(time.time()), "state": State.REJECTED, "due_at": None, **values}
    rows = [row(first + number, **fresh) for number in range(many)]
    for one in rows:
        one.save()
    return rows


def begun(chosen: EventFilter = REJECTED, verb: BulkVerb = BulkVerb.RETRY) -> BulkJob:
    return manual.start(verb, chosen, asked_by="1", using="default", everything=not chosen)


def again(job: BulkJob) -> BulkJob:
    return BulkJob.objects.get(pk=job.pk)


def states() -> Counter[str]:
    return Counter(OutboxEvent.objects.values_list("state", flat=True))


@pytest.mark.django_db
class TestOneWorker:
    def test_every_event_of_the_filter_is_taken_once(self) -> None:
        stored(10)
        stored(4, state=State.CANCELLED)
        stored(3)
        job = begun()

        changed, pixel_codes = manual.work("default")

        assert (changed, pixel_codes) == (13, {PIXEL})
        assert states() == {State.WAITING: 13, State.CANCELLED: 4}
        assert (again(job).state, again(job).changed, again(job).percent) == (BulkState.DONE, 13, 100)

    def test_cancelling_takes_what_waits(self) -> None:
        stored(4, state=State.WAITING, due_at=1.0)
        stored(2)
        job = begun(EventFilter(), BulkVerb.CANCEL)

        manual.work("default")

        assert states() == {State.CANCELLED: 4, State.REJECTED: 2}
        assert json.loads(again(job).reasons) == {"settled": 2}

    def test_what_is_left_as_it_is_is_counted_by_reason(self) -> None:
        stored(2, state=State.DELIVERED)
        stored(2, payload="")
        stored(1, state=State.INVALID)
        stored(2)
        job = begun(EventFilter())

        manual.work("default")

        assert json.loads(again(job).reasons) == {"delivered": 2, "cleared": 2, "invalid": 1}
        assert (again(job).changed, again(job).left_alone) == (2, 5)

    def test_nobody_is_there_to_risk_counting_twice(self) -> None:
        stored(1, unknown_since=time.time() - 48 * HOUR)
        stored(1, browser_at=moment(time.time() - 48 * HOUR))
        job = begun()

        manual.work("default")

        assert json.loads(again(job).reasons) == {"doubtful": 2}
        assert states() == {State.REJECTED: 2}

    def test_what_is_recorded_later_is_not_touched(self) -> None:
        stored(2)
        begun()
        stored(5)

        manual.work("default")

        assert states() == {State.WAITING: 2, State.REJECTED: 5}

    def test_what_fits_no_longer_is_not_touched(self) -> None:
        first, *_ = stored(3)
        begun()
        OutboxEvent.objects.filter(pk=first.pk).update(state=State.CANCELLED)

        manual.work("default")

        assert states() == {State.WAITING: 2, State.CANCELLED: 1}

    def test_a_period_bounds_the_keys_too(self) -> None:
        now = time.time()
        for hours in (100, 50, 49, 0):
            stored(1, created_at=moment(now - hours * HOUR))
        job = begun(EventFilter(since=now - 60 * HOUR, until=now - 40 * HOUR))

        manual.work("default")

        assert again(job).changed == 2

    @pytest.mark.parametrize("many", [0, 1, 3, 5, 6])
    def test_it_ends_however_few_there_are(self, many: int) -> None:
        stored(many)
        job = begun()

        manual.work("default")

        assert (again(job).state, again(job).changed) == (BulkState.DONE, many)

    def test_no_time_means_no_work(self) -> None:
        stored(2)
        job = begun()

        assert manual.work("default", seconds=0) == (0, set())
        assert again(job).state == BulkState.RUNNING

    def test_it_goes_on_where_it_was(self) -> None:
        stored(7)
        job = begun()
        rounds = iter([False, True])

        manual.work("default", stopping=lambda: next(rounds))
        halfway = again(job)
        manual.work("default")

        assert (halfway.changed, halfway.state) == (3, BulkState.RUNNING)
        assert 0 < halfway.percent < 100
        assert (again(job).changed, again(job).state) == (7, BulkState.DONE)

    def test_the_same_job_is_not_begun_twice(self) -> None:
        stored(1)

        assert begun().pk == begun().pk
        assert begun(verb=BulkVerb.CANCEL).pk != begun().pk

    def test_a_stopped_job_leaves_the_rest(self) -> None:
        stored(7)
        job = begun()
        rounds = iter([False, True])
        manual.work("default", stopping=lambda: next(rounds))

        assert manual.stop(job.pk, using="default", now=time.time())
        manual.work("default")

        assert states() == {State.WAITING: 3, State.REJECTED: 4}
        assert again(job).state == BulkState.STOPPED
        assert not manual.stop(job.pk, using="default", now=time.time())

    def test_a_job_of_yesterday_is_given_up(self) -> None:
        stored(2)
        job = begun()
        BulkJob.objects.update(created_at=moment(time.time() - 25 * HOUR))

        manual.work("default")

        assert again(job).state == BulkState.FAILED
        assert "within a day" in again(job).note
        assert states() == {State.REJECTED: 2}

    def test_a_job_that_always_fails_is_given_up_and_stops_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stored(2)
        bad = begun(EventFilter(state="rejected", name="Purchase"))
        BulkJob.objects.update(reasons="1")  # can't be added up
        good = begun()

        for _ in range(manual.MOST_FAILURES + 1):
            manual.work("default")

        assert again(bad).state == BulkState.FAILED
        assert "TypeError" in again(bad).note
        assert again(good).state == BulkState.DONE

    def test_a_table_that_is_missing_stops_no_sweep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(using: str) -> None:
            raise OperationalError

        monkeypatch.setattr(manual, "_running", missing)

        assert manual.waiting_databases() == []


@pytest.mark.django_db(transaction=True)
class TestSeveral:
    @pytest.mark.parametrize("moment_of_death", ["rows", "note"])
    def test_one_that_dies_leaves_neither_rows_nor_cursor_behind(
        self, moment_of_death: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored(7)
        job = begun()
        real_retry, real_note = manual.retry, manual._note

        def dies(*args: Any, **options: Any) -> Any:
            (real_retry if moment_of_death == "rows" else real_note)(*args, **options)
            raise SystemExit

        target = (manual, "retry") if moment_of_death == "rows" else (manual, "_note")
        with monkeypatch.context() as patch:
            patch.setattr(*target, dies)
            with pytest.raises(SystemExit):
                manual.work("default")
        assert states() == {State.REJECTED: 7}
        assert again(job).changed == 0

        manual.work("default")

        assert states() == {State.WAITING: 7}
        assert again(job).changed == 7

    @pytest.mark.on_engine("postgres", "mariadb")
    def test_two_at_once_change_every_row_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stored(60)
        job = begun()
        seen: list[int] = []
        real = manual.retry

        def noting(*args: Any, **options: Any) -> Any:
            outcome = real(*args, **options)
            seen.extend(one.pk for one in outcome.changed)
            time.sleep(0.002)
            return outcome

        monkeypatch.setattr(manual, "retry", noting)

        def worker() -> None:
            try:
                while manual.waiting_databases():
                    manual.work("default", seconds=10)
            finally:
                connections["default"].close()

        threads = [threading.Thread(target=worker) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert len(seen) == len(set(seen)) == 60
        assert (again(job).changed, again(job).state) == (60, BulkState.DONE)

    def test_a_second_one_finds_the_cursor_moved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stored(3)
        job = begun()
        real = manual._given_up

        def somebody_was_quicker(*args: Any) -> bool:
            BulkJob.objects.filter(pk=job.pk).update(cursor=job.cursor + 1)
            return real(*args)

        monkeypatch.setattr(manual, "_given_up", somebody_was_quicker)

        assert manual._step(job.pk, "default", now=time.time()) is None
        assert states() == {State.REJECTED: 3}
        assert connection.in_atomic_block is False
