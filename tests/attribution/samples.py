"""Short ways to moments, touches, sales and recorded conversions."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from tests.attribution.models import Sale
from tiktok_attribution.attribution import work
from tiktok_attribution.attribution.result import AttributedConversion, attribution_of
from tiktok_attribution.models import EventBody, OutboxEvent, RecordedConversion, Touch, VisitorSnapshot

PIXEL = "C0EXAMPLE0000000000"
SECOND_PIXEL = "C0SECOND00000000000"
DAY = 86_400
PHONE, LAPTOP, TABLET = (uuid.UUID(int=number) for number in (1, 2, 3))

PURCHASE: dict[str, Any] = {
    "event": "Purchase",
    "when": {"status": "paid"},
    "value": "total",
    "currency": "currency",
    "user": {"email": "email", "external_id": "customer"},
}
REFUNDABLE = {
    **PURCHASE,
    "when": {"status": ["paid", "cancelled"]},
    "refunded": "refunded_total",
    "reversed": {"status": "cancelled"},
    "first": "is_first_order",
    "code": "voucher",
}


def moment_of(text: str, zone: str = "UTC") -> int:
    """Epoch seconds of a local time, "2026-03-28 12:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def sold(total: str = "100.00", *, browser: uuid.UUID | None = LAPTOP, **fields: Any) -> Sale:
    """A paid sale with its event, made with this browser."""
    sale = Sale.objects.create(status="paid", total=Decimal(total), paid_at=timezone.now(), **fields)
    EventBody.objects.filter(event_id=f"sale-{sale.pk}").update(visitor_key=browser)
    return sale


def happened(sale: Sale, at: int) -> None:
    """Move the sale's events to another time; for those that are not recorded as conversions yet."""
    OutboxEvent.objects.filter(object_pk=str(sale.pk)).update(event_time=at)


def placed(sale: Sale, at: int, browser: uuid.UUID | None = LAPTOP) -> None:
    """The snapshot of who made the sale, and when."""
    made = datetime.fromtimestamp(at, tz=ZoneInfo("UTC"))
    VisitorSnapshot.objects.create(
        object_label="shop.Sale", object_pk=str(sale.pk), signals="{}", visitor_key=browser, created_at=made
    )


def clicked(at: float, campaign: str = "A", *, browser: uuid.UUID = LAPTOP, **fields: Any) -> Touch:
    given = {"traffic": "paid", "shop": PIXEL, "campaign_id": campaign, "campaign_name": f"Campaign {campaign}"}
    return Touch.objects.create(visitor_key=browser, at=int(at), **{**given, **fields})


def converted(at: int, value: str | None = "100.00", *, event_id: str = "sale-1", **fields: Any) -> RecordedConversion:
    """A recorded conversion that is not computed yet."""
    given = {"shop": PIXEL, "name": "Purchase", "currency": "EUR", "visitor_key": LAPTOP}
    amount = None if value is None else Decimal(value)
    return RecordedConversion.objects.create(at=at, value=amount, event_id=event_id, **{**given, **fields})


def worked(now: float | None = None) -> dict[str, int]:
    """All that the worker has to do now; what it did."""
    total: dict[str, int] = {}
    while done := +work.work(seconds=20.0, now=time.time() if now is None else now):
        for name, count in done.items():
            total[name] = total.get(name, 0) + count
    return total


def campaigns(sale: Sale, model: str = "last_tiktok") -> dict[int, list[str]]:
    """The campaigns that are credited with a sale, by window."""
    found = told(sale)
    return {window: [one.touch.campaign_id for one in models[model]] for window, models in found.credits.items()}


def told(sale: Sale) -> AttributedConversion:
    found = attribution_of(sale)
    assert found is not None
    return found
