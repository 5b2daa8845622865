"""Recorded conversions with touches, as the worker leaves them."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from tests.attribution.report_samples import PIXEL, SPRING
from tiktok_attribution.models import ConversionTouch, RecordedConversion

DAY = 86_400


def conversion(**values: Any) -> RecordedConversion:
    """A recorded conversion of an hour ago, computed already; without arguments a purchase of 100.00 EUR."""
    number = RecordedConversion.objects.count() + 1
    values = {
        "shop": PIXEL,
        "name": "Purchase",
        "event_id": f"order-{number}",
        "object_label": "shop.Order",
        "object_pk": str(number),
        "at": int(time.time()) - 3600,
        "value": Decimal("100.00"),
        "currency": "EUR",
        "is_stale": False,
        **values,
    }
    return RecordedConversion.objects.create(**values)


def touch(of: RecordedConversion, days_before: float = 2, **values: Any) -> ConversionTouch:
    """A touch before it; without arguments a click on an ad of the campaign Spring, two days before."""
    values = {
        "traffic": "paid",
        "campaign_id": SPRING,
        "campaign_name": "Spring",
        "at": of.at - int(days_before * DAY),
        "key": ConversionTouch.objects.count() + 1,
        **values,
    }
    return ConversionTouch.objects.create(conversion=of, **values)


def fill_conversions(object_pk: str = "1") -> RecordedConversion:
    """Some conversions of every sort; the one that is returned has several touches and a refund."""
    for number in range(60):
        one = conversion(at=int(time.time()) - 4000 - 900 * number, is_new=(None, True, False)[number % 3])
        if number % 2:
            touch(one, number / 6)
    told = conversion(
        object_pk=object_pk,
        is_new=True,
        placed_at=int(time.time()) - 4000,
        refunded=Decimal("30.00"),
        refunded_at=int(time.time()) - 600,
        code="ANNA10",
        unjoined="many browsers",
        lines='[["SKU-1", 2, "25.00"], ["SKU-2", 1, null]]',
    )
    touch(told, 20, adgroup_id="17", adgroup_name="Women 25–34", ad_name="Video A", placement="TikTok")
    touch(told, 5, traffic="organic", campaign_id="", campaign_name="", landing_path="/shoes/")
    touch(told, 2, landing_path="/new/")
    touch(told, 0.3, campaign_id="", campaign_name="Old newsletter <b>", landing_path="/old/")
    conversion(is_reversed=True, refunded=Decimal("100.00"), refunded_at=int(time.time()))
    conversion(value=None, object_label="", object_pk="", name="Subscribe")
    return told
