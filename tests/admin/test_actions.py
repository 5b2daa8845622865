"""Retry and cancel as plain functions over rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.manual import SkipReason
from tiktok_attribution.models import OutboxEvent, State, moment

DAY = 86_400
Make = Callable[..., OutboxEvent]


def row(event: OutboxEvent) -> Any:
    return OutboxEvent.objects.filter(pk=event.pk)


@pytest.mark.parametrize("state", [State.REJECTED, State.EXPIRED, State.CANCELLED])
def test_what_was_given_up_is_due_now(event: Make, state: State) -> None:
    given_up = event(state=state)
    now = time.time()

    manual.retry(row(given_up), now=now)

    given_up.refresh_from_db()
    assert (given_up.state, given_up.due_at) == (State.WAITING, now)


def test_what_waits_for_later_is_due_now(event: Make) -> None:
    now = time.time()
    waiting = event(due_at=now + 900)

    manual.retry(row(waiting), now=now)

    assert row(waiting).get().due_at == now


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state": State.DELIVERED}, SkipReason.DELIVERED),
        ({"state": State.BROWSER_ONLY}, SkipReason.BROWSER_ONLY),
        ({"state": State.INVALID}, SkipReason.INVALID),
        ({"state": State.REJECTED, "payload": ""}, SkipReason.CLEARED),
        ({"state": State.EXPIRED, "age": 8 * DAY}, SkipReason.TOO_OLD),
        ({"state": State.WAITING}, SkipReason.ALREADY_DUE),
    ],
)
def test_what_cannot_be_sent_again_stays_as_it_is(event: Make, values: dict[str, Any], reason: SkipReason) -> None:
    kept = event(**values)
    before = row(kept).values().get()

    done = manual.retry(row(kept), now=time.time())

    assert (done.refused, done.changed) == ({reason: [kept.pk]}, [])
    assert row(kept).values().get() == before


def test_the_words_of_the_refusal_go_with_it(event: Make) -> None:
    rejected = event(state=State.REJECTED, note="Invalid Price Field")

    manual.retry(row(rejected), now=time.time())

    assert row(rejected).get().note == ""


def test_what_was_left_out_of_a_cancelled_event_stays_noted(event: Make) -> None:
    cancelled = event(state=State.CANCELLED, note="phone left out: no number.")

    manual.retry(row(cancelled), now=time.time())

    assert row(cancelled).get().note == "phone left out: no number."


@pytest.mark.parametrize(
    ("hours", "doubtful"),
    [(46, False), (48, True)],
)
def test_an_old_attempt_of_unknown_fate_is_doubtful(event: Make, hours: int, doubtful: bool) -> None:
    now = time.time()
    expired = event(state=State.EXPIRED, age=3 * DAY, unknown_since=now - hours * 3600)

    done = manual.retry(row(expired), now=now, dry=True)

    assert bool(done.doubtful) is doubtful


def test_an_old_pixel_call_in_the_browser_is_doubtful(event: Make) -> None:
    now = time.time()
    expired = event(state=State.EXPIRED, age=3 * DAY, wants_browser=True, browser_at=moment(now - 2 * DAY))

    assert manual.retry(row(expired), now=now, dry=True).doubtful


def test_who_takes_the_risk_is_not_stopped_by_the_old_moment(event: Make) -> None:
    now = time.time()
    expired = event(state=State.EXPIRED, age=3 * DAY, unknown_since=now - 2 * DAY)

    manual.retry(row(expired), now=now)

    assert row(expired).get().unknown_since is None


def test_a_recent_moment_of_unknown_fate_is_kept(event: Make) -> None:
    now = time.time()
    waiting = event(due_at=now + 900, unknown_since=now - 3600)

    manual.retry(row(waiting), now=now)

    assert row(waiting).get().unknown_since == now - 3600


def test_what_waits_is_cancelled(event: Make) -> None:
    waiting = event()

    manual.cancel(row(waiting), now=time.time())

    waiting.refresh_from_db()
    assert (waiting.state, waiting.due_at) == (State.CANCELLED, None)


@pytest.mark.parametrize("state", [state for state in State if state != State.WAITING])
def test_only_what_waits_is_cancelled(event: Make, state: State) -> None:
    settled = event(state=state)

    done = manual.cancel(row(settled), now=time.time())

    assert done.refused == {SkipReason.SETTLED: [settled.pk]}
    assert row(settled).get().state == state


@pytest.mark.parametrize("verb", [manual.retry, manual.cancel])
def test_a_dry_run_changes_nothing(event: Make, verb: Callable[..., Any]) -> None:
    waiting = event(due_at=time.time() + 900)
    before = row(waiting).values().get()

    done = verb(row(waiting), now=time.time(), dry=True)

    assert [found.pk for found in done.changed] == [waiting.pk]
    assert row(waiting).values().get() == before
