"""The body explained, the visitor's way, and what became of the event."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.admin.samples import HOSTILE, PIXEL, page_of, with_settings
from tiktok_attribution.admin.event_page import journey, moments
from tiktok_attribution.admin.matching_keys import MEANINGS, MOST_LINES, OWN, key_lines
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.wire import event_text, request_body
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, State

Make = Callable[..., Any]
HASH = "0" * 63 + "1"


def whole_text() -> str:
    """An event that has every key that is ever sent."""
    texts = dict.fromkeys(("city", "state", "country", "ttclid", "ttp", "ip", "user_agent", "locale"), "x")
    user = User(
        email=(HASH,), phone=(HASH, HASH), external_id=(HASH,), first_name=HASH, last_name=HASH, zip_code=HASH, **texts
    )
    page = Page(url="https://shop.example/?utm_source=tiktok", referrer="https://shop.example/cart/")
    item = {"content_id": "A", "content_name": "Tea", "content_category": "c", "brand": "b", "price": 1, "quantity": 2}
    properties = {"value": 1, "currency": "EUR", "contents": [{**item, "content_type": "product"}, item]}
    return event_text(
        Event(
            name="Purchase",
            event_id="order-1",
            event_time=1,
            user=user,
            page=page,
            properties=properties,
            limited_data_use=True,
        )
    )


def body_of(text: str) -> str:
    return request_body(PIXEL, [text], "TEST1").decode()


def text_of(client: Client, event: OutboxEvent) -> str:
    return html.unescape(client.get(page_of(event)).content.decode())


def test_every_key_that_is_sent_is_explained() -> None:
    lines = key_lines(body_of(whole_text()))

    assert [line.path for line in lines if line.meaning is OWN] == []
    sent = {re.sub(r"\[\d+\]", "", line.path) for line in lines}
    assert sent <= set(MEANINGS)
    assert {"data.user.phone", "data.properties.contents.price", "data.page.referrer"} <= sent


def test_of_several_items_the_first_is_explained() -> None:
    values = {line.path: line.value for line in key_lines(body_of(whole_text()))}

    assert values["data[0].properties.contents"] == "2 entries"
    assert values["data[0].properties.contents[0].price"] == "1"
    assert "data[0].properties.contents[1].price" not in values


def test_a_key_of_the_sites_own_is_called_that() -> None:
    text = event_text(Event(name="Lead", event_id="1", event_time=1, properties={"colour": "red"}))

    (line,) = (line for line in key_lines(body_of(text)) if line.path.endswith("colour"))

    assert (line.value, line.meaning) == ("red", OWN)


def test_long_values_and_endless_keys_are_cut() -> None:
    own = {f"own_{number}": "x" * 500 for number in range(1000)}
    text = event_text(Event(name="Lead", event_id="1", event_time=1, properties=own))

    lines = key_lines(body_of(text))

    assert len(lines) == MOST_LINES
    assert max(len(line.value) for line in lines) <= 80


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "1", "null"])
def test_what_is_no_event_has_no_lines_and_no_way(text: str) -> None:
    assert key_lines(text) == []
    assert journey(text) == []


def test_the_page_explains_the_body(boss: Client, event: Make) -> None:
    text = text_of(boss, event(payload=whole_text()))

    assert "data[0].user.ttclid" in text
    assert str(MEANINGS["data.user.ttclid"]) in text


def test_the_command_on_the_page_has_no_token(boss: Client, event: Make, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ACCESS_TOKEN="very-secret-token")

    text = text_of(boss, event())

    assert '"Access-Token: $TIKTOK_ACCESS_TOKEN"' in text
    assert "very-secret-token" not in text


def test_a_cleared_event_has_no_command_and_says_that_its_way_is_gone(boss: Client, event: Make) -> None:
    text = text_of(boss, event(state=State.DELIVERED, payload=""))

    assert "curl" not in text.replace("tiktok-curl", "")
    assert "No longer stored, or never known." in text


def test_the_way_begins_with_the_click_and_ends_on_the_page() -> None:
    stops = journey(whole_text())

    assert [(stop.title, stop.text) for stop in stops] == [
        ("Landing", "x"),
        ("Campaign", "utm_source=tiktok"),
        ("Page before", "https://shop.example/cart/"),
        ("Page", "https://shop.example/?utm_source=tiktok"),
        ("Pixel's cookie", "x"),
    ]


def test_a_way_without_click_says_so() -> None:
    stops = journey(event_text(Event(name="Lead", event_id="1", event_time=1)))

    assert [stop.note[:12] for stop in stops] == ["No click id:", "Not known: t"]


@pytest.mark.parametrize("url", ["http://[", "https://x/?%", "javascript:alert(1)"])
def test_an_odd_address_is_shown_and_never_a_link(boss: Client, event: Make, url: str) -> None:
    odd = event(payload=json.dumps({"event": "Lead", "event_id": "1", "page": {"url": url}}))

    page = boss.get(page_of(odd)).content.decode()

    assert html.escape(url) in page
    assert f'href="{html.escape(url)}' not in page


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_texts_are_escaped_everywhere(boss: Client, event: Make, words: str) -> None:
    user = User(ttclid=words, ttp=words)
    page = Page(url=f"https://x.example/?utm_source={words}", referrer=words)
    hostile = event(
        payload=event_text(
            Event(name="Lead", event_id="1", event_time=1, user=user, page=page, properties={"x": words, "y": [words]})
        )
    )

    assert words not in boss.get(page_of(hostile)).content.decode()


def test_what_became_of_it_is_in_the_order_of_time(event: Make, attempt: Make) -> None:
    now = timezone.now()
    later = [now + timedelta(seconds=seconds) for seconds in range(5, 30, 5)]
    row = event(state=State.DELIVERED, age=0, browser_at=later[0], browser_confirmed_at=later[1], delivered_at=later[4])
    first: Attempt = attempt(row, started_at=later[2], code=50000, message="system error")
    second: Attempt = attempt(row, started_at=later[3], outcome=Outcome.DELIVERED, code=0, message="OK")

    assert [moment.what for moment in moments(row, [second, first])] == [
        "Happened",
        "Recorded",
        "Browser: shown on a page",
        "Browser: the page confirmed its pixel call",
        "Server: 50000 system error",
        "Server: delivered to TikTok",
    ]


def test_the_next_attempt_stands_last(event: Make) -> None:
    row = event(due_at=timezone.now().timestamp() + 60)

    assert moments(row, [])[-1].what == "Server: next attempt"
