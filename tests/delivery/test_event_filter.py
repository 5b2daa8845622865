"""A choice of events as data, and as the overview counts the same events."""

from __future__ import annotations

import json
import time
from itertools import product
from typing import Any

import pytest

from tests.delivery.samples import NOW, row
from tiktok_attribution.delivery.event_search import CHANNELS, EventFilter
from tiktok_attribution.models import HourlyStatistics, OutboxEvent, State, moment
from tiktok_attribution.monitoring.hourly_statistics import refresh_all

WHOLE: dict[str, Any] = {
    "state": "rejected",
    "name": "Purchase",
    "pixel_code": "C0A",
    "channels": "both",
    "attempt": "abc",
    "since": 1.5,
    "until": 2.0,
}


@pytest.mark.parametrize("data", [{}, {"state": "awaiting_consent"}, WHOLE])
def test_it_comes_back_from_its_data(data: dict[str, Any]) -> None:
    chosen = EventFilter.of_data(data)

    assert chosen.as_data() == data
    assert EventFilter.of_data(json.loads(json.dumps(chosen.as_data()))) == chosen
    assert bool(chosen) is bool(data)


def test_a_moment_of_zero_is_a_choice() -> None:
    assert EventFilter(since=0.0).as_data() == {"since": 0.0}


@pytest.mark.parametrize("data", [{"state": "gone"}, {"channels": "three"}, {"what": 1}])
def test_what_it_never_made_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        EventFilter.of_data(data)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("channels", "field"),
    [("both", "both"), ("server", "server_alone"), ("browser", "browser_alone"), ("confirmed", "confirmed")],
)
def test_a_choice_of_channels_has_as_many_as_the_overview_counts(channels: str, field: str) -> None:
    now = moment(time.time() - 7200)
    combinations = product(State.values, (False, True), (None, now), (None, now))
    for number, (state, wants, shown, confirmed) in enumerate(combinations):
        values = {"state": state, "wants_browser": wants, "browser_at": shown, "browser_confirmed_at": confirmed}
        row(number, due_at=None, created_at=now, **values).save()
    refresh_all()

    counted = sum(HourlyStatistics.objects.values_list(field, flat=True))

    assert EventFilter(channels=channels).rows(using="default").count() == counted > 0


@pytest.mark.django_db
def test_the_keys_of_a_period_hold_all_of_it_and_the_condition_no_more() -> None:
    for hours in (30, 20, 10, 0):
        row(hours, created_at=moment(NOW - hours * 3600)).save()
    chosen = EventFilter(since=NOW - 20 * 3600, until=NOW - 3600)

    assert [one.event_id for one in chosen.rows(using="default").order_by("pk")] == ["order-20", "order-10"]


@pytest.mark.django_db
@pytest.mark.parametrize("channels", CHANNELS)
def test_every_choice_works_on_an_empty_table(channels: str) -> None:
    chosen = EventFilter.of_data({**WHOLE, "channels": channels})

    assert not chosen.rows(using="default").exists()
    assert not OutboxEvent.objects.exists()
