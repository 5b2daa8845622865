"""One test event, sent at once and kept nowhere: Events Manager shows it under Test events, and does not count it."""

from __future__ import annotations

import re
import secrets
import time

from tiktok_attribution import conf
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.pixels import NO_TOKEN
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.wire import event_text, request_body

TEST_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
USER_AGENT = "Mozilla/5.0 (compatible; tiktok-attribution test event)"
ADDRESS = "192.0.2.1"  # RFC 5737: nobody's


@errors_without_values
def send_test_event(pixel_code: str, test_event_code: str) -> Answer:
    """TikTok's answer to a ViewContent. ValueError without a code that can be one: it would be a real event."""
    if not TEST_CODE.fullmatch(test_event_code):
        raise ValueError("a test event needs the code of the Test events tab")
    settings = conf.current()
    token = settings.token_of(pixel_code)
    if not token:
        return Answer(message=NO_TOKEN)
    event = Event(
        name="ViewContent",
        event_id=f"test-{secrets.token_hex(8)}",
        event_time=int(time.time()),
        user=User(ip=ADDRESS, user_agent=USER_AGENT),
        page=Page(url=settings.site_url or "https://www.example.com/"),
    )
    with Client(settings.api_url, settings.timeout_seconds) as client:
        return client.post(token, request_body(pixel_code, [event_text(event)], test_event_code))
