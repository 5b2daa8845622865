from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError

from tests.delivery.conftest import Configure
from tests.delivery.samples import DAY, NOW, PIXEL, fill, only_row, row, store
from tiktok_attribution.delivery import retention
from tiktok_attribution.models import (
    Attempt,
    EventBody,
    LandingCount,
    OutboxEvent,
    State,
    Touch,
    VisitorSnapshot,
    moment,
)

pytestmark = pytest.mark.django_db

LONG_AGO = moment(NOW - 400 * DAY)
SETTLED = {"state": State.DELIVERED, "due_at": None}


@pytest.fixture(autouse=True)
def _times(configure: Configure) -> None:
    configure(KEEP_PAYLOAD_DAYS=14, KEEP_EVENT_DAYS=90, SNAPSHOT_DAYS=30)


def prune(most: int = 50_000) -> dict[str, int]:
    return dict(retention.prune("default", now=NOW, most=most))


def old(days: float) -> dict[str, Any]:
    return {"created_at": moment(NOW - days * DAY)}


def attempt(pk: str, days: float) -> Attempt:
    return Attempt(id=pk, pixel_code=PIXEL, started_at=moment(NOW - days * DAY), event_count=1, outcome="delivered")


def test_a_payload_is_cleared_after_its_time() -> None:
    fill(1, **SETTLED, **old(15))

    assert prune()["payloads"] == 1
    assert only_row().payload == ""


def test_a_payload_is_kept_until_then() -> None:
    fill(1, **SETTLED, **old(13))
    prune()

    assert only_row().payload


def test_a_cleared_payload_is_not_cleared_again() -> None:
    fill(1, **SETTLED, **old(15))
    prune()

    assert prune()["payloads"] == 0


def test_a_payload_whose_event_was_deleted_by_hand_goes_with_the_others() -> None:
    fill(3, **SETTLED, **old(15))
    fill(5, **SETTLED)
    by_hand = OutboxEvent.objects.filter(event_id="order-1")
    by_hand._raw_delete("default")
    prune()

    assert sorted(EventBody.objects.values_list("event_id", flat=True)) == [
        "order-0",
        *("order-2", "order-3", "order-4"),
    ]


def test_a_row_is_pruned_after_its_time() -> None:
    fill(1, **SETTLED, **old(91))

    assert prune()["events"] == 1
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize("state", [State.INVALID, State.REJECTED, State.EXPIRED, State.CANCELLED, State.BROWSER_ONLY])
def test_settled_rows_of_every_state_are_pruned(state: State) -> None:
    fill(1, state=state, due_at=None, **old(91))

    assert prune()["events"] == 1


def test_a_waiting_row_is_never_touched() -> None:
    fill(1, created_at=LONG_AGO)
    prune()

    assert only_row().payload


def test_a_row_that_is_sent_again_while_it_is_pruned_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(1, **SETTLED, **old(91))
    act = retention.forget

    def raced(rows: Any, pks: list[int]) -> int:
        OutboxEvent.objects.update(state=State.WAITING, due_at=NOW)
        return act(rows, pks)

    monkeypatch.setattr(retention, "forget", raced)
    prune()

    assert (OutboxEvent.objects.count(), EventBody.objects.count()) == (1, 1)


def test_a_body_goes_with_its_event() -> None:
    fill(3, **SETTLED, **old(91))
    OutboxEvent.objects.filter(event_id="order-1").update(due_at=NOW)
    prune()

    assert list(EventBody.objects.values_list("event_id", flat=True)) == ["order-1"]


def test_attempts_are_pruned_after_the_time_of_events() -> None:
    Attempt.objects.bulk_create([attempt("old", 91), attempt("new", 89)])

    assert prune()["attempts"] == 1
    assert Attempt.objects.get().pk == "new"


def test_snapshots_are_pruned_after_their_own_time() -> None:
    for pk, days in (("1", 31), ("2", 29)):
        VisitorSnapshot.objects.create(object_label="shop.order", object_pk=pk, signals="{}", **old(days))

    assert prune()["snapshots"] == 1
    assert VisitorSnapshot.objects.get().object_pk == "2"


def test_many_rows_go_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAGE_ROWS", 10)
    fill(25, **SETTLED, **old(91))

    assert prune()["events"] == 25
    assert not OutboxEvent.objects.exists()


def test_no_more_rows_go_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAGE_ROWS", 10)
    fill(30, **SETTLED, **old(91))

    assert prune(most=15)["events"] == 15
    assert OutboxEvent.objects.count() == 15


def test_rows_between_kept_ones_are_found() -> None:
    store([row(number, due_at=NOW if number % 2 else None, **old(15)) for number in range(20)])

    assert prune()["payloads"] == 10


def test_what_was_recorded_out_of_the_order_of_its_key_is_found() -> None:
    store([row(1, **SETTLED, **old(13.99)), row(2, **SETTLED, **old(14.01))])

    assert prune()["payloads"] == 1
    assert OutboxEvent.objects.get(payload="").event_id == "order-2"


def test_all_databases_are_pruned_by_the_clock() -> None:
    fill(1, **SETTLED, created_at=moment(0))

    assert retention.prune_all()["events"] == 1


def test_a_database_that_fails_is_counted_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(using: str, **options: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(retention, "prune", fail)

    assert retention.prune_all()["failed"] == 1
    assert "'default' could not be pruned" in caplog.text


class TestTouches:
    """Touches go after KEEP_TOUCH_DAYS, but not while a window reaches them."""

    KEY = UUID(int=7)

    @pytest.fixture(autouse=True)
    def _old_ones(self) -> None:
        for days in (10, 50, 100):
            at = NOW - days * DAY
            Touch.objects.create(visitor_key=self.KEY, at=at)

    @pytest.mark.parametrize(
        ("options", "left"),
        [
            ({"KEEP_TOUCH_DAYS": 90}, 2),
            ({"KEEP_TOUCH_DAYS": 30}, 1),
            ({"KEEP_TOUCH_DAYS": 5, "ATTRIBUTION": True}, 1),
            ({"KEEP_TOUCH_DAYS": 5, "ATTRIBUTION": {"windows": [60]}}, 2),
            ({"KEEP_TOUCH_DAYS": 30, "ATTRIBUTION": False}, 1),
        ],
        ids=str,
    )
    def test_they_go_in_time(self, options: dict[str, Any], left: int, configure: Configure) -> None:
        configure(**options)
        counts = retention.prune_all(now=NOW)
        assert (Touch.objects.count(), counts["touches"]) == (left, 3 - left)

    def test_counts_of_landings_stay_as_long_as_conversions(self, configure: Configure) -> None:
        configure(KEEP_ATTRIBUTION_DAYS=400)
        for days in (399, 402):
            LandingCount.objects.create(day=moment(NOW - days * DAY).date(), outcome="stored", count=1)
        assert retention.prune_all(now=NOW)["landings"] == 1
