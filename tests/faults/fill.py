"""`python -m tests.faults.fill COUNT`: that many events, committed as a shop commits them, but many at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import django


def rows(count: int) -> Iterator[OutboxEvent]:
    """`order-0` …, all due now, in the lanes that they belong to."""
    (pixel_code,) = conf.current().pixel_code
    now, lanes = time.time(), conf.current().lanes
    for number in range(count):
        event_id = f"order-{number}"
        event = Event(
            name="Purchase",
            event_id=event_id,
            event_time=int(now),
            user=User(ip="8.8.8.8", user_agent="Mozilla/5.0"),
            page=Page(url="https://shop.example/thanks"),
            properties={"value": 19.9, "currency": "EUR"},
        )
        yield OutboxEvent(
            pixel_code=pixel_code,
            name=event.name,
            event_id=event_id,
            event_time=event.event_time,
            payload=event_text(event),
            due_at=now,
            lane=outbox.lane_of(event_id, lanes),
        )


if __name__ == "__main__":
    django.setup()

    from tests.delivery.samples import store
    from tiktok_attribution import conf
    from tiktok_attribution.delivery import outbox
    from tiktok_attribution.events import Event, Page, User
    from tiktok_attribution.events.payload import event_text
    from tiktok_attribution.models import OutboxEvent

    store(rows(int(sys.argv[1])))
