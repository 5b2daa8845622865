"""The hours: counted exactly, again and again with the same result, and never the whole table."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin.samples import PIXEL, stored_event
from tiktok_attribution.delivery.event_search import first_pk_since
from tiktok_attribution.models import HourlyStatistics, OutboxEvent, State, moment
from tiktok_attribution.monitoring.hourly_statistics import (
    HOUR,
    RECENT,
    count_again,
    count_hours,
    refresh_all,
    refresh_recent,
)
from tiktok_attribution.monitoring.summary import summarize

pytestmark = pytest.mark.django_db
NOW = time.time()
THIS_HOUR = int(NOW) // HOUR * HOUR


def made(seconds_ago: float, **values: Any) -> OutboxEvent:
    return stored_event(created_at=moment(NOW - seconds_ago), event_time=int(NOW - seconds_ago), **values)


@pytest.fixture
def delivered() -> OutboxEvent:
    at = THIS_HOUR - 1800
    return stored_event(
        created_at=moment(at),
        event_time=at,
        state=State.DELIVERED,
        delivered_at=moment(at + 3),
        wants_browser=True,
        browser_at=moment(at + 1),
        browser_confirmed_at=moment(at + 2),
        match_keys=0b101,
        value=Decimal("49.90"),
    )


def last_hour() -> HourlyStatistics:
    (counts,) = count_hours(THIS_HOUR - HOUR, THIS_HOUR, using="default")
    return counts


def test_both_channels_are_counted(delivered: OutboxEvent) -> None:
    counts = last_hour()
    seen = (counts.recorded, counts.delivered, counts.wanted, counts.shown, counts.confirmed, counts.both)
    assert seen == (1, 1, 1, 1, 1, 1)


def test_keys_and_values_are_added_up(delivered: OutboxEvent) -> None:
    counts = last_hour()
    assert json.loads(counts.match_keys)[:4] == [1, 0, 1, 0]
    assert Decimal(json.loads(counts.value_sums)["EUR"]) == Decimal("49.90")


def test_the_delay_is_from_conversion_to_delivery(delivered: OutboxEvent) -> None:
    count_again(3, using="default", now=NOW)
    summary = summarize([THIS_HOUR - HOUR], THIS_HOUR + HOUR, pixel_code="", using="default")
    median = summary.all.delay(0.5)
    assert median is not None
    assert 3 <= median <= 3 * 1.26


@pytest.mark.parametrize("state", [state for state in State if state != State.BROWSER_ONLY])
def test_every_state_has_its_count(state: State) -> None:
    stored_event(state=state, created_at=moment(THIS_HOUR - 60), due_at=None)
    assert getattr(last_hour(), state.value) == 1


def test_a_missing_channel_is_told_from_which_side(delivered: OutboxEvent) -> None:
    OutboxEvent.objects.update(browser_at=None)
    assert last_hour().server_alone == 1
    OutboxEvent.objects.update(state=State.EXPIRED, browser_at=moment(NOW))
    assert last_hour().browser_alone == 1


def test_counting_again_changes_nothing(delivered: OutboxEvent) -> None:
    for _ in range(2):
        count_again(48, using="default", now=NOW)
    assert HourlyStatistics.objects.get().recorded == 1


def test_what_became_of_an_event_is_seen_by_the_next_count(delivered: OutboxEvent) -> None:
    count_again(48, using="default", now=NOW)
    OutboxEvent.objects.update(state=State.REJECTED)
    count_again(48, using="default", now=NOW)
    assert (HourlyStatistics.objects.get().delivered, HourlyStatistics.objects.get().rejected) == (0, 1)


def test_every_event_falls_into_one_hour() -> None:
    for number in range(50):
        made(50 * 600 - number * 600)
    count_again(24, using="default", now=NOW)
    assert sum(HourlyStatistics.objects.values_list("recorded", flat=True)) == 50


def test_rows_that_came_out_of_order_are_counted_in_their_hour() -> None:
    for seconds in (3, -4, 1, -2):
        stored_event(created_at=moment(THIS_HOUR + seconds))
    assert last_hour().recorded == 2


def test_hours_that_may_have_been_pruned_are_left_as_they_were(settings: Any) -> None:
    old = int(NOW - 100 * 86_400) // HOUR * HOUR
    HourlyStatistics.objects.create(hour=old, pixel_code=PIXEL, name="Purchase", recorded=7)
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "KEEP_EVENT_DAYS": 10}
    count_again(24 * 200, using="default", now=NOW)
    assert HourlyStatistics.objects.get().recorded == 7


def test_only_the_first_of_two_counts(delivered: OutboxEvent) -> None:
    refresh_all(now=NOW, seconds=60)
    HourlyStatistics.objects.all().delete()
    refresh_recent(using="default", now=NOW + 61)
    refresh_recent(using="default", now=NOW + 62)
    assert HourlyStatistics.objects.count() == 1
    HourlyStatistics.objects.all().delete()
    refresh_recent(using="default", now=NOW + 63)
    assert not HourlyStatistics.objects.exists()


def test_the_first_look_counts_older_days_too() -> None:
    made(20 * 86_400)
    refresh_recent(using="default", now=NOW, seconds=60)
    assert HourlyStatistics.objects.get().recorded == 1


def test_a_first_look_that_is_cut_short_leaves_the_rest_to_the_worker() -> None:
    made(20 * 86_400)
    refresh_recent(using="default", now=NOW, seconds=0)
    assert not HourlyStatistics.objects.exists()
    refresh_all(now=NOW, seconds=60)
    assert HourlyStatistics.objects.get().recorded == 1


@pytest.fixture
def table() -> list[int]:
    rows = [stored_event(created_at=moment(NOW - 10_000 + 10 * number), payload="") for number in range(100)]
    return [row.pk for row in rows]


@pytest.mark.parametrize("place", [0, 1, 37, 99])
def test_the_first_key_of_a_moment_is_found(table: list[int], place: int) -> None:
    assert first_pk_since(moment(NOW - 10_000 + 10 * place), using="default") == table[place]


def test_before_everything_and_after_everything(table: list[int]) -> None:
    assert first_pk_since(moment(NOW - 99_999), using="default") == table[0]
    assert first_pk_since(moment(NOW + 5), using="default") == table[-1] + 1


def test_holes_do_not_mislead(table: list[int]) -> None:
    OutboxEvent.objects.filter(pk__in=table[20:80]).delete()
    assert first_pk_since(moment(NOW - 10_000 + 10 * 50), using="default") > table[19]
    assert first_pk_since(moment(NOW - 10_000 + 10 * 50), using="default") <= table[80]


def test_the_search_costs_few_looks(table: list[int]) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        first_pk_since(moment(NOW - 10_000 + 505), using="default")
    assert len(asked) <= 10


def test_an_empty_outbox_has_no_hours() -> None:
    count_again(RECENT.hours, using="default", now=NOW)
    assert not HourlyStatistics.objects.exists()


def test_quality_is_ten_with_every_weighty_key() -> None:
    stored_event(created_at=moment(THIS_HOUR + 1), match_keys=2**14 - 1)
    count_again(1, using="default", now=NOW)
    summary = summarize([THIS_HOUR], THIS_HOUR + HOUR, pixel_code=PIXEL, using="default")
    assert summary.all.quality() == 10
    assert summary.all.coverage()["email"] == 1


def test_quality_of_nothing_is_unknown() -> None:
    assert summarize([THIS_HOUR], THIS_HOUR + HOUR, pixel_code="", using="default").all.quality() is None
