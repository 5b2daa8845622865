"""Retry and cancel as people press them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from tests.admin.samples import PIXEL, cancel_of, page_of, retry_of, with_settings
from tiktok_attribution.admin import actions
from tiktok_attribution.models import OutboxEvent, PixelStatus, State

Make = Callable[..., Any]
DAY = 86_400


def state_of(event: OutboxEvent) -> str:
    return OutboxEvent.objects.values_list("state", flat=True).get(pk=event.pk)


def choose(client: Client, address: str, action: str, *events: OutboxEvent, **more: str) -> Any:
    data = {"action": action, "_selected_action": [str(event.pk) for event in events], **more}
    return client.post(address, data, follow=True)


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_the_list_asks_before_it_acts(boss: Client, event: Make, list_address: str) -> None:
    rejected = event(state=State.REJECTED)

    response = choose(boss, list_address, "retry_selected", rejected)

    assert state_of(rejected) == State.REJECTED
    assert response.context["plan"] == ["1 event is sent again, with the same event_id and the same time."]
    assert str(rejected) in response.content.decode()


def test_the_answer_yes_of_the_page_acts(boss: Client, event: Make, list_address: str) -> None:
    rejected = event(state=State.REJECTED)
    asked = choose(boss, list_address, "retry_selected", rejected)

    hidden: dict[str, list[str]] = {}
    for name, value in asked.context["hidden"]:
        hidden.setdefault(name, []).append(value)
    boss.post(asked.context["address"], {**hidden, asked.context["confirmed"]: "1"})

    assert state_of(rejected) == State.WAITING


def test_honest_numbers_are_told(boss: Client, event: Make, list_address: str) -> None:
    chosen = [
        event(state=State.REJECTED),
        event(state=State.CANCELLED),
        event(state=State.DELIVERED),
        event(state=State.EXPIRED, age=8 * DAY),
        event(state=State.EXPIRED, age=9 * DAY),
    ]

    response = choose(boss, list_address, "retry_selected", *chosen, confirmed="1")

    assert said(response) == [
        "2 events are due now.",
        "2 events are left as they are: it happened longer ago than MAX_AGE_DAYS, and would only expire again.",
        "1 event is left as it is: TikTok has it already.",
    ]


def test_when_nothing_can_be_done_nothing_is_asked(boss: Client, event: Make, list_address: str) -> None:
    response = choose(boss, list_address, "retry_selected", event(state=State.DELIVERED))

    assert said(response) == ["1 event is left as it is: TikTok has it already."]


def test_the_question_names_the_risk_of_counting_twice(boss: Client, event: Make, list_address: str) -> None:
    doubtful = event(state=State.EXPIRED, age=3 * DAY, unknown_since=time.time() - 2 * DAY)

    (warning,) = choose(boss, list_address, "retry_selected", doubtful).context["warnings"]

    assert warning.startswith("1 of them may have reached TikTok more than 47 hours ago")


def test_the_question_names_a_stopped_pixel(boss: Client, event: Make, list_address: str) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now())

    response = choose(boss, list_address, "retry_selected", event(state=State.REJECTED))

    assert response.context["warnings"] == [f"Pixel {PIXEL} is stopped: its events wait until it is resumed."]


def test_who_retries_learns_that_the_app_is_switched_off(
    boss: Client, event: Make, list_address: str, settings: Any
) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ENABLED=False)

    response = choose(boss, list_address, "retry_selected", event(state=State.REJECTED), confirmed="1")

    assert "ENABLED is off in the settings: nothing is sent until it is on." in said(response)


def test_no_more_than_the_bound_of_a_search_is_taken(
    boss: Client, event: Make, attempt: Make, list_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = event(state=State.REJECTED), event(state=State.REJECTED)
    attempt(older, newer, request_id="found")
    monkeypatch.setattr(actions, "MOST", 1)

    address = f"{list_address}?q=found"
    asked = choose(boss, address, "retry_selected", older, select_across="1")
    choose(boss, address, "retry_selected", older, select_across="1", confirmed="1")

    assert "At most 1 events are changed at once: the newest ones." in asked.context["warnings"]
    assert (state_of(older), state_of(newer)) == (State.REJECTED, State.WAITING)


def test_each_change_is_logged_with_its_author(boss: Client, event: Make, list_address: str) -> None:
    chosen = [event(state=State.REJECTED), event(state=State.CANCELLED), event(state=State.DELIVERED)]

    choose(boss, list_address, "retry_selected", *chosen, confirmed="1")

    entries = LogEntry.objects.order_by("object_id").values_list("object_id", "change_message", "user__username")
    assert list(entries) == [(str(found.pk), "Sent again by a person.", "superuser") for found in chosen[:2]]


@pytest.mark.django_db(transaction=True)
def test_workers_are_told_once_a_pixel(
    boss: Client, event: Make, list_address: str, hints: list[tuple[str, str]]
) -> None:
    chosen = [event(state=State.REJECTED), event(state=State.REJECTED), event(state=State.DELIVERED)]

    choose(boss, list_address, "retry_selected", *chosen, confirmed="1")

    assert hints == [(PIXEL, "default")]


@pytest.mark.django_db(transaction=True)
def test_workers_are_not_told_of_a_cancel(
    boss: Client, event: Make, list_address: str, hints: list[tuple[str, str]]
) -> None:
    choose(boss, list_address, "cancel_selected", event(), confirmed="1")

    assert hints == []


def test_the_list_cancels_what_waits(boss: Client, event: Make, list_address: str) -> None:
    waiting, delivered = event(), event(state=State.DELIVERED)

    response = choose(boss, list_address, "cancel_selected", waiting, delivered, confirmed="1")

    assert state_of(waiting) == State.CANCELLED
    assert said(response) == [
        "1 event was cancelled.",
        "1 event is left as it is: only waiting events can be cancelled.",
    ]


def test_the_button_sends_again_at_once(boss: Client, event: Make) -> None:
    rejected = event(state=State.REJECTED)

    response = boss.post(retry_of(rejected))

    assert (response.status_code, response["Location"]) == (302, page_of(rejected))
    assert state_of(rejected) == State.WAITING


def test_the_button_asks_where_it_could_count_twice(boss: Client, event: Make) -> None:
    doubtful = event(state=State.EXPIRED, age=3 * DAY, unknown_since=time.time() - 2 * DAY)

    response = boss.post(retry_of(doubtful))

    assert "could be counted twice" in response.content.decode()
    assert state_of(doubtful) == State.EXPIRED


def test_the_risk_can_be_taken(boss: Client, event: Make) -> None:
    doubtful = event(state=State.EXPIRED, age=3 * DAY, unknown_since=time.time() - 2 * DAY)

    boss.post(retry_of(doubtful), {"confirmed": "1"})

    assert state_of(doubtful) == State.WAITING


def test_the_cancel_button_asks(boss: Client, event: Make) -> None:
    waiting = event()

    response = boss.post(cancel_of(waiting))

    assert "may still arrive" in response.content.decode()
    assert state_of(waiting) == State.WAITING


def test_the_cancel_button_cancels_when_confirmed(boss: Client, event: Make) -> None:
    waiting = event()

    boss.post(cancel_of(waiting), {"confirmed": "1"})

    assert state_of(waiting) == State.CANCELLED


def test_a_late_button_says_why_nothing_happens(boss: Client, event: Make) -> None:
    response = boss.post(cancel_of(event(state=State.DELIVERED)), {"confirmed": "1"}, follow=True)

    assert said(response) == ["1 event is left as it is: only waiting events can be cancelled."]


def test_an_event_that_is_gone_is_not_found(boss: Client, event: Make) -> None:
    gone = event()
    address = retry_of(gone)
    gone.delete()

    assert boss.post(address).status_code == 404
