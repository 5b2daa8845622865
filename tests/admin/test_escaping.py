"""What a hostile shopper or a hostile answer holds never becomes markup."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.conversion_samples import conversion, touch
from tests.admin.samples import HOSTILE, PIXEL, page_of, retry_of
from tests.attribution.report_samples import on_both_clocks
from tiktok_attribution.events import Event, Page
from tiktok_attribution.events.wire import event_text
from tiktok_attribution.models import Attempt, OutboxEvent, PixelStatus, State

Make = Callable[..., Any]


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


@pytest.fixture
def rejected(event: Make, attempt: Make, hostile: str) -> OutboxEvent:
    """An event with the text in every field that is not the app's own."""
    sent = Event(
        name="Purchase",
        event_id=hostile,
        event_time=int(time.time()),
        page=Page(url=hostile),
        properties={"description": hostile, hostile: hostile},
    )
    made: OutboxEvent = event(
        state=State.REJECTED,
        name=hostile,
        event_id=hostile,
        currency=hostile[:3],
        note=hostile,
        object_label="shop.Order",
        object_pk=hostile,
        payload=event_text(sent),
        wants_browser=True,
    )
    attempt(made, message=hostile, request_id=hostile, code=40002, http_status=200)
    return made


def assert_harmless(response: Any, hostile: str) -> None:
    text = response.content.decode()
    assert response.status_code == 200
    assert hostile not in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize("query", ["", "?q=<script>alert(1)</script>", '?name="><img src=x onerror=1>'])
def test_the_list_is_harmless(boss: Client, rejected: OutboxEvent, hostile: str, list_address: str, query: str) -> None:
    assert_harmless(boss.get(list_address + query), hostile)


def test_the_page_is_harmless(boss: Client, rejected: OutboxEvent, hostile: str) -> None:
    assert_harmless(boss.get(page_of(rejected)), hostile)


def test_the_page_shows_the_text_nevertheless(boss: Client, rejected: OutboxEvent, hostile: str) -> None:
    escaped = hostile.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")

    assert f"<dd>{escaped}</dd>" in boss.get(page_of(rejected)).content.decode()


def test_the_page_with_keys_of_its_own_is_harmless(boss: Client, event: Make, hostile: str) -> None:
    keys = {"<script>alert(1)</script>": hostile, "email": [hostile]}

    payload = json.dumps({"event": "Purchase", "event_id": "order-1", "user": keys})

    assert_harmless(boss.get(page_of(event(payload=payload, wants_browser=True))), hostile)


def test_the_question_is_harmless(boss: Client, rejected: OutboxEvent, hostile: str, list_address: str) -> None:
    data = {"action": "retry_selected", "_selected_action": str(rejected.pk), "select_across": "0"}

    assert_harmless(boss.post(f"{list_address}?o={hostile}", data), hostile)


def test_the_messages_are_harmless(boss: Client, rejected: OutboxEvent, hostile: str) -> None:
    assert_harmless(boss.post(retry_of(rejected), follow=True), hostile)


def test_the_history_is_harmless(boss: Client, rejected: OutboxEvent, hostile: str) -> None:
    boss.post(retry_of(rejected))
    address = reverse("admin:tiktok_attribution_outboxevent_history", args=[rejected.pk])

    assert_harmless(boss.get(address), hostile)


def test_attempts_are_harmless(boss: Client, rejected: OutboxEvent, hostile: str) -> None:
    made = Attempt.objects.get()

    assert_harmless(boss.get(reverse("admin:tiktok_attribution_attempt_changelist")), hostile)
    page = reverse("admin:tiktok_attribution_attempt_change", args=[quote(made.pk)])
    assert_harmless(boss.get(page), hostile)


def test_pixels_are_harmless(boss: Client, hostile: str) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105, message=hostile)
    PixelStatus.objects.create(pixel_code=hostile, stopped_at=timezone.now(), message=hostile)

    assert_harmless(boss.get(reverse("admin:tiktok_attribution_pixelstatus_changelist")), hostile)
    for code in (PIXEL, hostile):
        page = reverse("admin:tiktok_attribution_pixelstatus_change", args=[quote(code)])
        assert_harmless(boss.get(page), hostile)


def test_the_attribution_report_is_harmless(boss: Client, hostile: str) -> None:
    today = timezone.localdate()
    on_both_clocks(1, day=today, campaign_name=hostile, adgroup_name=hostile, landing_path=hostile, name=hostile[:50])
    page = reverse("admin:tiktok_attribution_attributionreport_changelist")

    for query in ({"by": "campaign"}, {"by": "landing"}, {"by": "adgroup", "campaign": f"~{hostile}"}):
        assert_harmless(boss.get(page, {**query, "event": hostile[:50], "windows": "1"}), hostile)
    assert_harmless(boss.get(f"{page}link/", {"address": f"https://shop.example/?{hostile}"}), hostile)


def test_conversions_are_harmless(boss: Client, hostile: str) -> None:
    """The texts of touches are those of a landing address, so any visitor can choose them."""
    told = conversion(
        name=hostile[:50],
        event_id=hostile,
        object_label=hostile,
        object_pk=hostile,
        code=hostile,
        unjoined=hostile[:20],
        currency=hostile[:3],
        lines=json.dumps([[hostile, 1, hostile], [hostile, 2, "NaN"]]),
    )
    texts = ("campaign_name", "adgroup_name", "ad_name", "placement", "landing_path", "utm_source", "utm_medium")
    touch(told, 1, **dict.fromkeys(texts, hostile), campaign_id="")
    touch(told, 2, **dict.fromkeys(texts, hostile), traffic="organic")
    page = reverse("admin:tiktok_attribution_recordedconversion_changelist")
    on_both_clocks(1, day=timezone.localdate(), campaign_name=hostile, name=hostile[:50])

    for query in ({}, {"campaign": f"~{hostile}"}, {"landing": hostile, "event": hostile[:50]}, {hostile: hostile}):
        assert_harmless(boss.get(page, query), hostile)
    assert_harmless(boss.get(f"{page}{told.pk}/change/", {"window": hostile}), hostile)


def test_pages_hold_no_script_of_their_own(boss: Client, rejected: OutboxEvent) -> None:
    """Every <script> has an address, so a strict content security policy lets the page live."""

    scripts = re.findall(r"<script[^>]*>", boss.get(page_of(rejected)).content.decode())

    assert [script for script in scripts if "src=" not in script] == []
