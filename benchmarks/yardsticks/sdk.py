"""TikTok's own SDK for Python (tiktok-business-api-sdk-official, as PyPI has it), one event a call.

Its v1.3 has `pixel_track` and `pixel_batch` (50 a call); the Events API 2.0 isn't in it.
"""

from __future__ import annotations

import time
from typing import Any

from business_api_client import (  # type: ignore[import-untyped]
    ApiClient,
    Configuration,
    EventCallbackApi,
    PixelTrackBody,
)

from benchmarks import rows
from benchmarks.shop.models import PlainEvent

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def client(host: str) -> EventCallbackApi:
    """Against the sink, on the connection that the SDK keeps."""
    configuration = Configuration()
    configuration.host = host
    return EventCallbackApi(ApiClient(configuration))


def payload(number: int) -> dict[str, Any]:
    """What the SDK's documentation shows, with the same facts as the app's event."""
    return {
        "pixel_code": rows.PIXEL,
        "event": "CompletePayment",
        "event_id": f"order-{number}",
        "timestamp": "2025-06-22T17:55:46Z",
        "context": {
            "ad": {"callback": "E.C.P." + "x" * 96},
            "page": {"url": "https://shop.example/checkout/", "referrer": "https://shop.example/cart/"},
            "user": {"external_id": "a" * 64, "email": "b" * 64, "phone_number": "c" * 64, "ttp": "2Yb7Xk0Zq1Lw9Vt5"},
            "ip": "203.0.113.24",
            "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0",
        },
        "properties": {
            "contents": [{"content_id": "2025-1", "content_type": "product", "price": 129.95, "quantity": 1}],
            "currency": "EUR",
            "value": 129.95,
        },
    }


def send(api: EventCallbackApi, event: dict[str, Any]) -> str:
    """One event, one call; what the SDK makes of the answer."""
    return str(api.pixel_track(TOKEN, body=PixelTrackBody(**event)))


def one_by_one(host: str, number: int) -> float:
    """Events a second without any database."""
    api = client(host)
    send(api, payload(0))  # opens the connection
    started = time.perf_counter()
    for count in range(number):
        send(api, payload(count))
    return number / (time.perf_counter() - started)


def one_by_one_with_save(host: str, number: int) -> float:
    """Events a second from a table: read, send, `save()`, each for itself."""
    PlainEvent._default_manager.all().delete()
    PlainEvent._default_manager.bulk_create([PlainEvent(payload=payload(count)) for count in range(number)])
    api = client(host)
    send(api, payload(0))
    started = time.perf_counter()
    for event in PlainEvent._default_manager.filter(sent=False).order_by("pk").iterator():
        event.answer = send(api, event.payload)
        event.sent = True
        event.save()
    return number / (time.perf_counter() - started)
