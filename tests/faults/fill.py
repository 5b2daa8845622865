"""Events as a shop commits them, but many at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import connections

from tests.delivery.samples import store
from tests.engines.server import database_of_url
from tiktok_attribution import conf
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.wire import event_text
from tiktok_attribution.models import OutboxEvent

ALIAS = "faults"


def fill(database_url: str, count: int, *, lanes: int) -> None:
    """Commit `order-0` …, all due now, in the lanes that they belong to."""
    databases = {"default": {}, ALIAS: database_of_url(database_url)}
    connections.settings[ALIAS] = connections.configure_settings(databases)[ALIAS]
    try:
        store(_rows(count, lanes), using=ALIAS)
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.settings[ALIAS]


def _rows(count: int, lanes: int) -> Iterator[OutboxEvent]:
    (pixel_code,) = conf.current().pixel_code
    now = time.time()
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
            lane=number % lanes,
        )
