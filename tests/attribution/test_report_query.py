"""The days of a report: its presets, the period before, and the zone in which a day begins."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tiktok_attribution.attribution.report_query import PRESETS, ReportQuery, period_before, preset, today_of, zone_of

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        ("today", "2026-03-02", "2026-03-02"),
        ("yesterday", "2026-03-01", "2026-03-01"),
        ("7", "2026-02-24", "2026-03-02"),
        ("28", "2026-02-03", "2026-03-02"),
        ("30", "2026-02-01", "2026-03-02"),
        ("month", "2026-03-01", "2026-03-02"),
        ("last-month", "2026-02-01", "2026-02-28"),
    ],
)
def test_a_preset_has_its_days(key: str, first: str, last: str) -> None:
    assert preset(key, TODAY) == (date.fromisoformat(first), date.fromisoformat(last))


def test_every_preset_is_tried() -> None:
    assert set(PRESETS) == {"today", "yesterday", "7", "28", "30", "month", "last-month"}


@pytest.mark.parametrize(
    ("period", "before"),
    [
        (("2026-03-02", "2026-03-02"), ("2026-03-01", "2026-03-01")),
        (("2026-03-01", "2026-03-01"), ("2026-02-28", "2026-02-28")),
        (("2026-02-24", "2026-03-02"), ("2026-02-17", "2026-02-23")),
        (("2026-03-01", "2026-03-02"), ("2026-02-01", "2026-02-02")),
        (("2026-02-01", "2026-02-28"), ("2026-01-01", "2026-01-31")),
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
        (("2026-03-01", "2026-03-30"), ("2026-02-01", "2026-02-28")),
        (("2026-01-01", "2026-01-31"), ("2025-12-01", "2025-12-31")),
        (("2026-01-15", "2026-02-14"), ("2025-12-15", "2026-01-14")),
    ],
)
def test_a_month_is_compared_with_a_month(period: tuple[str, str], before: tuple[str, str]) -> None:
    days = [date.fromisoformat(text) for text in (*period, *before)]
    assert period_before(*days[:2]) == tuple(days[2:])
    assert ReportQuery(first=days[0], last=days[1]).before() == ReportQuery(first=days[2], last=days[3])


ACCOUNTS = {
    "1": {"pixels": ["C0EUROPE00000000000"], "time_zone": "Europe/Berlin"},
    "2": {"pixels": ["C0AMERICA0000000000"], "time_zone": "America/Los_Angeles"},
}


@pytest.mark.parametrize(
    ("accounts", "shop", "zone"),
    [
        ({}, "", "Asia/Jakarta"),
        (ACCOUNTS, "", "Asia/Jakarta"),
        (ACCOUNTS, "C0EUROPE00000000000", "Europe/Berlin"),
        (ACCOUNTS, "C0AMERICA0000000000", "America/Los_Angeles"),
        (ACCOUNTS, "C0OTHER000000000000", "Asia/Jakarta"),
        ({"1": ACCOUNTS["1"]}, "", "Europe/Berlin"),
        ({"1": {**ACCOUNTS["1"], "pixels": []}}, "C0EUROPE00000000000", "Asia/Jakarta"),
        ({"1": {"pixels": ["C0EUROPE00000000000"]}}, "C0EUROPE00000000000", "Asia/Jakarta"),
    ],
)
def test_days_begin_where_the_account_is(settings: Any, accounts: Any, shop: str, zone: str) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": accounts}
    assert str(zone_of(shop)) == zone


def test_a_pixel_without_an_account_keeps_the_sites_days_for_all_shops(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"
    settings.TIKTOK_ATTRIBUTION = {"PIXEL_CODE": "C0OTHER000000000000", "MARKETING_API": {"1": ACCOUNTS["1"]}}
    assert str(zone_of("")) == "Asia/Jakarta"


def test_half_past_seven_in_berlin_is_the_day_before_in_los_angeles(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": ACCOUNTS}
    moment = 1772433000  # 2 March 2026, 07:30 in Berlin
    assert today_of("C0EUROPE00000000000", moment) == date(2026, 3, 2)
    assert today_of("C0AMERICA0000000000", moment) == date(2026, 3, 1)
