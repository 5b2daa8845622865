"""The page of one event."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.samples import EMAIL, PIXEL, cancel_of, page_of, retry_of, with_settings
from tiktok_attribution.admin.explanations import STATES, WARNED
from tiktok_attribution.browser.inline_code import track_call
from tiktok_attribution.events.wire import browser_call_of_text
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, State, moment

Make = Callable[..., Any]
DAY = 86_400


def text_of(client: Client, event: OutboxEvent) -> str:
    response = client.get(page_of(event))
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def timeline(text: str) -> list[str]:
    return re.findall(r"<tr>\s*<td.*?</tr>", text, re.DOTALL)


@pytest.mark.parametrize("state", list(State))
def test_every_state_says_what_it_means_and_what_to_do(boss: Client, event: Make, state: State) -> None:
    text = text_of(boss, event(state=state, object_label="shop.Order", object_pk="1"))

    assert str(STATES[state].meaning) in text
    assert str(STATES[state].advice) in text


def test_a_delivered_event_says_what_was_left_out_of_it(boss: Client, event: Make) -> None:
    text = text_of(boss, event(state=State.DELIVERED, note="value left out: it has no currency."))

    assert "delivered, with a warning" in text
    assert "<dd>value left out: it has no currency.</dd>" in text
    assert str(WARNED.meaning) in text


def test_an_invalid_event_without_an_object_is_not_offered_to_be_built(boss: Client, event: Make) -> None:
    alone = event(state=State.INVALID, note="value is not a number")

    text = text_of(boss, alone)

    assert "Fix what the reason names, where track() is called" in text
    assert retry_of(alone) not in text


def test_tiktoks_words_and_their_explanation_stand_together(boss: Client, event: Make, attempt: Make) -> None:
    rejected = event(state=State.REJECTED, note="Invalid Price Field")
    attempt(rejected, outcome=Outcome.ISOLATE, http_status=200, code=40000, message="Invalid Price Field")

    text = text_of(boss, rejected)

    assert "<dd>Invalid Price Field</dd>" in text
    assert "TikTok refused a value in the event." in text


def test_what_is_given_up_is_not_promised_to_be_repeated(boss: Client, event: Make, attempt: Make) -> None:
    expired = event(state=State.EXPIRED)
    attempt(expired, message="No answer within 10 seconds.")

    assert "it is repeated with the same event_id" not in text_of(boss, expired)


def test_the_body_stands_there_as_one_request(boss: Client, event: Make) -> None:
    text = text_of(boss, event(event_id="order-42"))

    assert f'"event_source_id": "{PIXEL}",\n  "data": [\n    {{\n      "event": "Purchase",' in text
    assert '"event_id": "order-42"' in text


def test_the_browsers_call_is_the_very_text_of_the_page(boss: Client, event: Make) -> None:
    both = event(wants_browser=True)

    assert track_call(browser_call_of_text(both.payload)) in text_of(boss, both)


def test_an_event_for_the_server_alone_has_no_call(boss: Client, event: Make) -> None:
    assert "ttq.track(" not in text_of(boss, event(wants_browser=False))


def test_a_cleared_body_is_said_to_be_cleared(boss: Client, event: Make) -> None:
    cleared = event(state=State.DELIVERED, payload="", wants_browser=True)

    assert "kept for KEEP_PAYLOAD_DAYS only" in text_of(boss, cleared)


def test_a_damaged_body_is_shown_as_it_is(boss: Client, event: Make) -> None:
    assert '{"event":' in text_of(boss, event(payload='{"event":', wants_browser=True))


def test_attempts_stand_in_their_order(boss: Client, event: Make, attempt: Make) -> None:
    tried = event()
    attempt(tried, message="No answer within 10 seconds.", duration_seconds=10)
    attempt(tried, outcome=Outcome.DELIVERED, http_status=200, code=0, message="OK", request_id="202303141300390EF6")

    first, second = timeline(text_of(boss, tried))

    assert "No answer within 10 seconds." in first
    assert "202303141300390EF6" in second
    assert "10.000 s" in first


def test_a_pruned_attempt_keeps_its_place(boss: Client, event: Make, attempt: Make) -> None:
    tried = event()
    Attempt.objects.filter(pk=attempt(tried).pk).delete()

    assert "The record of this attempt has been deleted." in text_of(boss, tried)


def test_a_long_story_shows_its_end(boss: Client, event: Make) -> None:
    tried = event(attempts=60, attempt_log="".join(f"gone{number}," for number in range(60)))

    text = text_of(boss, tried)

    assert "10 earlier attempts are not shown." in text
    assert len(timeline(text)) == 50


def test_keys_are_named_and_hashes_shortened(boss: Client, event: Make) -> None:
    text = text_of(boss, event())

    assert f'<bdi class="tiktok-key">email <small>{EMAIL[:8]}…</small></bdi>' in text
    assert '<bdi class="tiktok-key">ip</bdi>' in text


def test_an_event_that_nobody_can_be_found_by_says_so(boss: Client, event: Make) -> None:
    text = text_of(boss, event(payload='{"event":"Purchase","event_time":1,"event_id":"order-1"}'))

    assert "nothing: TikTok can't find the person" in text


def test_the_delay_of_the_delivery_is_told(boss: Client, event: Make) -> None:
    now = int(time.time())
    delivered = event(state=State.DELIVERED, event_time=now - 60, delivered_at=moment(now - 57))

    assert "(3 s later)" in text_of(boss, delivered)


def test_a_waiting_event_names_its_stopped_pixel(boss: Client, event: Make) -> None:
    PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105)

    assert f"Pixel {PIXEL} is stopped, so this event waits." in text_of(boss, event())


def test_a_waiting_event_says_that_the_app_is_switched_off(boss: Client, event: Make, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ENABLED=False)

    assert "nothing is sent until it is on" in text_of(boss, event())


def test_the_object_is_named_for_who_may_see_it(boss: Client, event: Make) -> None:
    signed_up = event(object_label="auth.User", object_pk=boss.session["_auth_user_id"])

    assert "user 1</a> – superuser".replace("1", signed_up.object_pk) in text_of(boss, signed_up)


def test_a_deleted_object_is_said_to_be_gone(boss: Client, event: Make) -> None:
    assert "no longer exists" in text_of(boss, event(object_label="auth.User", object_pk="987654"))


def test_the_name_of_an_object_is_kept_from_who_may_not_see_it(
    client_of: Callable[[str], Client], boss: Client, event: Make
) -> None:
    signed_up = event(object_label="auth.User", object_pk=boss.session["_auth_user_id"])

    assert "superuser" not in text_of(client_of("viewer"), signed_up)


@pytest.mark.parametrize(
    ("values", "offered"),
    [
        ({"state": State.REJECTED}, True),
        ({"state": State.EXPIRED}, True),
        ({"state": State.CANCELLED}, True),
        ({"state": State.INVALID, "object_label": "shop.Order", "object_pk": "1"}, True),
        ({"state": State.WAITING, "due_at": time.time() + DAY}, True),
        ({"state": State.WAITING}, False),
        ({"state": State.DELIVERED}, False),
        ({"state": State.EXPIRED, "age": 8 * DAY}, False),
    ],
)
def test_retry_is_offered_where_it_can_help(boss: Client, event: Make, values: dict[str, Any], offered: bool) -> None:
    found = event(**values)

    assert (retry_of(found) in text_of(boss, found)) is offered


def test_why_it_cannot_be_sent_again_is_said(boss: Client, event: Make) -> None:
    assert "You can't send it again: it happened longer ago" in text_of(boss, event(state=State.EXPIRED, age=8 * DAY))


@pytest.mark.parametrize("state", list(State))
def test_cancel_is_offered_for_what_waits(boss: Client, event: Make, state: State) -> None:
    found = event(state=state)

    assert (cancel_of(found) in text_of(boss, found)) is (state == State.WAITING)


@pytest.mark.parametrize(
    ("person", "retry", "cancel"),
    [("viewer", False, False), ("retrier", True, False), ("canceller", False, True)],
)
def test_buttons_are_for_who_may_press_them(
    client_of: Callable[[str], Client], event: Make, person: str, retry: bool, cancel: bool
) -> None:
    waiting = event(due_at=time.time() + 900)

    text = text_of(client_of(person), waiting)

    assert (retry_of(waiting) in text, cancel_of(waiting) in text) == (retry, cancel)


def test_there_is_nothing_to_save_or_delete(boss: Client, event: Make) -> None:
    text = text_of(boss, event())

    assert 'name="_save"' not in text
    assert "/delete/" not in text


def test_no_form_stands_inside_another(boss: Client, event: Make) -> None:
    """The page is inside the admin's own form; a browser drops a second one there, and its button saves nothing."""
    found = re.findall(r"<form\b|</form>", text_of(boss, event(due_at=time.time() + 900)))

    assert found == ["<form", "</form>"] * (len(found) // 2)


@pytest.mark.parametrize("name", ["retry", "cancel"])
def test_a_button_belongs_to_its_own_form(boss: Client, event: Make, name: str) -> None:
    text = text_of(boss, event(due_at=time.time() + 900))

    assert f'<input type="submit" form="tiktok-{name}"' in text
    assert f'<form method="post" id="tiktok-{name}"' in text


def test_an_unknown_event_leads_back_to_the_index(boss: Client) -> None:
    address = reverse("admin:tiktok_attribution_outboxevent_change", args=["987654"])
    assert boss.get(address).headers["Location"] == reverse("admin:index")
