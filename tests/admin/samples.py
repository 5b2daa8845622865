"""An event as the recorder leaves it, and what a hostile shopper would put into it."""

from __future__ import annotations

import base64
import time
import zlib
from decimal import Decimal
from itertools import count
from typing import Any

from django.conf import settings
from django.urls import reverse

from tests.attribution.spend_samples import ADVERTISER, ENGLISH, TODAY
from tiktok_attribution.admin.spend_page import digest_of
from tiktok_attribution.attribution.spend_file import read_spend
from tiktok_attribution.attribution.spend_row import Choices
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.events.wire import event_text
from tiktok_attribution.models import OutboxEvent, State, moment

PIXEL = "C0EXAMPLE0000000000"
EMAIL = email_sha256("ann@example.com") or ""
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=1>')

_numbers = count(1)


def confirmed_upload(text: str = ENGLISH) -> tuple[tuple[str, str], ...]:
    """What a browser posts when a person has seen the preview of this file and presses "Import"."""
    found = read_spend(text.encode(), Choices(), today=TODAY)
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    seen = digest_of(ADVERTISER, found)
    return (("advertiser", ADVERTISER), ("packed", packed), ("seen", seen), ("confirmed", "1"))


def stored_event(**values: Any) -> OutboxEvent:
    """A stored event. `age` in seconds; `payload` is made from the other values unless it is given."""
    age = values.pop("age", 10)
    now = time.time()
    values = {
        "pixel_code": PIXEL,
        "name": "Purchase",
        "event_id": f"order-{next(_numbers)}",
        "event_time": int(now - age),
        "created_at": moment(now - age),
        "value": Decimal("49.90"),
        "currency": "EUR",
        "state": State.WAITING,
        **values,
    }
    if values["state"] == State.WAITING:
        values.setdefault("due_at", now - age)
    if values["state"] != State.INVALID:
        values.setdefault("payload", text_of(values))
    return OutboxEvent.objects.create(**values)


def text_of(values: dict[str, Any]) -> str:
    return event_text(
        Event(
            name=values["name"],
            event_id=values["event_id"],
            event_time=values["event_time"],
            user=User(email=(EMAIL,), ip="192.0.2.7", user_agent="Mozilla/5.0"),
            page=Page(url="https://shop.example/thanks"),
            properties={"value": 49.9, "currency": values["currency"]},
        )
    )


def page_of(event: OutboxEvent) -> str:
    return reverse("admin:tiktok_attribution_outboxevent_change", args=[event.pk])


def retry_of(event: OutboxEvent) -> str:
    return reverse("admin:tiktok_attribution_event_retry", args=[event.pk])


def cancel_of(event: OutboxEvent) -> str:
    return reverse("admin:tiktok_attribution_event_cancel", args=[event.pk])


def with_settings(**values: Any) -> dict[str, Any]:
    """The app's settings of the test project with these changed."""
    return {**settings.TIKTOK_ATTRIBUTION, **values}
