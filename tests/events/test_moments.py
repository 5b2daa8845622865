from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tiktok_attribution.events.times import epoch_seconds
from tiktok_attribution.exceptions import InvalidEvent

NOW = 1_764_000_000.75  # 2025-11-24 16:00:00.75 UTC
WEEK = 7 * 86400
PLUS_TWO = timezone(timedelta(hours=2))
EDGE = datetime(1, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
NAIVE = datetime.fromisoformat("2025-11-24T16:00:00")


def seconds(value: object, **options: object) -> int:
    return epoch_seconds(value, **{"now": NOW, "max_age_seconds": WEEK, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        None,
        1_764_000_000,
        1_764_000_000.5,
        "1764000000",
        "1764000000.25",
        datetime(2025, 11, 24, 16, tzinfo=timezone.utc),
        NAIVE,
        datetime(2025, 11, 24, 18, tzinfo=PLUS_TWO),
        "2025-11-24T16:00:00Z",
        "2025-11-24T16:00:00.1234567Z",
        "2025-11-24 16:00",
        "2025-11-24T18:00:00+02:00",
        "2025-11-24T18:00+0200",
        "2025-11-24T14:30-01:30",
    ],
)
def test_the_same_moment_in_every_form_is_the_same_second(value: object) -> None:
    result = seconds(value)
    assert (result, type(result)) == (1_764_000_000, int)


@pytest.mark.parametrize("value", [NAIVE.replace(hour=18), "2025-11-24T18:00:00"])
def test_a_naive_moment_is_in_the_default_timezone(value: object) -> None:
    assert seconds(value, default_timezone=PLUS_TWO) == 1_764_000_000


@pytest.mark.parametrize("value", [date(2025, 11, 24), "2025-11-24"])
def test_a_date_is_its_midnight_in_the_default_timezone(value: object) -> None:
    assert seconds(value, default_timezone=PLUS_TWO) == 1_764_000_000 - 18 * 3600


@pytest.mark.parametrize("ahead", [1, 599])
def test_a_clock_a_little_ahead_is_taken_for_now(ahead: int) -> None:
    assert seconds(NOW + ahead) == math.floor(NOW)


def test_the_future_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="2 hours in the future"):
        seconds(NOW + 7200)


def test_the_oldest_allowed_second_is_allowed() -> None:
    assert seconds(NOW - WEEK) == math.floor(NOW - WEEK)


@pytest.mark.parametrize(
    ("value", "age"),
    [
        (NOW - WEEK - 1, "7 days 1 second ago; nothing older than 7 days is sent"),
        (NOW - 9 * 86400 - 3 * 3600, "9 days 3 hours ago"),
        (20251124, "55 years ago"),
        (EDGE, "2026 years ago"),
    ],
)
def test_what_is_too_old_is_refused_with_its_age(value: object, age: str) -> None:
    with pytest.raises(InvalidEvent, match=age):
        seconds(value)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_764_000_000_000, "milliseconds"),
        ("1764000000000", "milliseconds"),
        (1_764_000_000_000.5, "milliseconds"),
        (1_764_000_000_000_000, "microseconds"),
        (1_764_000_000_000_000_000, "nanoseconds"),
        (10**400, "nanoseconds"),
    ],
)
def test_finer_units_are_refused_by_their_name(value: object, unit: str) -> None:
    with pytest.raises(InvalidEvent, match=f"looks like {unit}: TikTok takes whole seconds"):
        seconds(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "not bool"),
        (b"1764000000", "not bytes"),
        ([], "not list"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        ("", "not ISO text"),
        ("yesterday", "not ISO text"),
        ("24.11.2025", "not ISO text"),
        ("2025-11-24T16:00:00 jane@example.com", "^event_time is not ISO text: write .{22}$"),
        ("2025-02-30", "does not exist"),
        ("2025-11-24T25:00", "does not exist"),
        ("2025-11-24T16:00+99:00", "does not exist"),
    ],
)
def test_what_is_no_moment_is_refused_with_its_reason(value: object, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        seconds(value)
