"""Rows of the roll-up and of spend, as the worker and the imports leave them."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

from tiktok_attribution.models import AdSpend, DailyAttribution, SpendImport

PIXEL = "C0EXAMPLE0000000000"
ADVERTISER = "7001234567890123456"
DAY = date(2026, 3, 2)
SPRING, SUMMER = "1700000000000001", "1700000000000002"
PURCHASE = {"complete_payment": "3", "total_complete_payment_rate": "210.50"}


def credit(conversions: object = 1, value: object = "100.00", **columns: Any) -> DailyAttribution:
    """One row of the roll-up: without arguments a purchase that a click on an ad brought."""
    columns = {
        "day": DAY,
        "shop": PIXEL,
        "clock": "conversion",
        "model": "last_tiktok",
        "window": 7,
        "name": "Purchase",
        "is_new": True,
        "traffic": "paid",
        "currency": "EUR",
        **columns,
    }
    return DailyAttribution.objects.create(conversions=Decimal(str(conversions)), value=Decimal(str(value)), **columns)


def on_both_clocks(conversions: object = 1, value: object = "100.00", **columns: Any) -> None:
    for clock in ("conversion", "click"):
        credit(conversions, value, clock=clock, **columns)


def spend(amount: object = "50.00", figures: dict[str, str] | None = None, **columns: Any) -> AdSpend:
    """One row of spend: without arguments of the campaign Spring."""
    columns = {
        "advertiser": ADVERTISER,
        "level": "campaign",
        "day": DAY,
        "campaign_id": SPRING,
        "campaign_name": "Spring",
        "currency": "EUR",
        "impressions": 1000,
        "clicks": 40,
        **columns,
    }
    done, _is_new = SpendImport.objects.get_or_create(
        advertiser=columns["advertiser"], level=columns["level"], source="csv", first_day=DAY, last_day=DAY
    )
    return AdSpend.objects.create(
        spend_import=done, spend=Decimal(str(amount)), figures=json.dumps(figures or {}), **columns
    )
