"""Spend files and rows for tests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tiktok_attribution.attribution.spend import CSV, Origin, import_rows
from tiktok_attribution.attribution.spend_row import SpendRow
from tiktok_attribution.models import SpendImport

ADVERTISER = "7001234567890123456"
TODAY = date(2026, 11, 29)
ENGLISH = (
    "Campaign name,Campaign ID,By Day,Cost,Currency,Impressions,Clicks (destination),Clicks (all)\n"
    "Spring,1700000000000001,2026-03-01,12.34,EUR,1000,20,25\n"
    "Spring,1700000000000001,2026-03-02,7.66,EUR,900,10,12\n"
    "Summer,1700000000000002,2026-03-01,30.00,EUR,2500,40,44\n"
    "Total of 3 results,-,-,50.00,EUR,4400,70,81\n"
)


def row(day: int | date = 1, spend: str = "10", *, month: int = 3, **values: Any) -> SpendRow:
    """A row of a day of March 2026, of campaign 11 unless it is said otherwise."""
    when = day if isinstance(day, date) else date(2026, month, day)
    given = {"campaign_id": "11", "campaign_name": "Spring", "currency": "EUR", **values}
    return SpendRow(day=when, spend=Decimal(spend), **given)


def imported(*rows: SpendRow, level: str = "campaign", source: str = CSV, **values: Any) -> SpendImport:
    advertiser = values.pop("advertiser", ADVERTISER)
    return import_rows(advertiser, level, rows, origin=Origin(source=source), **values)
