"""A restarted stand-in knows what the killed one knew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.testing.samples import PIXEL, TOKEN, HandClock, body, event, pixel_call, post_events
from tiktok_attribution.testing.ledger import Ledger
from tiktok_attribution.testing.server import StandIn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "journal.jsonl"


def test_what_arrived_is_known_again(path: Path, clock: HandClock) -> None:
    first = Ledger(clock=clock, journal=path)
    first.record("browser", PIXEL, [event()])
    clock.now += 10
    first.record("server", PIXEL, [event(), event(event_id="order-2")])
    first.record("server", PIXEL, [event()], test_event_code="T")
    again = Ledger(clock=clock, journal=path)
    assert (again.events(), again.arrivals(), again.test_events(), again.counts()) == (
        first.events(),
        first.arrivals(),
        first.test_events(),
        first.counts(),
    )


def test_bodies_are_known_again(path: Path, clock: HandClock) -> None:
    Ledger(clock=clock, journal=path).record("server", PIXEL, [event()])
    assert Ledger(clock=clock, journal=path).arrivals()[0].body == event()


def test_a_repeat_after_the_restart_is_dropped(path: Path, clock: HandClock) -> None:
    Ledger(clock=clock, journal=path).record("server", PIXEL, [event()])
    again = Ledger(clock=clock, journal=path)
    again.record("server", PIXEL, [event()])
    assert [one.fate for one in again.arrivals()] == ["counted", "repeat"]


def test_a_line_cut_off_by_a_kill_is_passed_over(path: Path, clock: HandClock) -> None:
    Ledger(clock=clock, journal=path).record("server", PIXEL, [event()])
    with path.open("ab") as file:
        file.write(b'{"kind":"arrivals","at":17')
    again = Ledger(clock=clock, journal=path)
    again.record("server", PIXEL, [event(event_id="order-2")])
    assert len(Ledger(clock=clock, journal=path).events()) == 2


def test_a_reset_holds_across_a_restart(path: Path, clock: HandClock) -> None:
    first = Ledger(clock=clock, journal=path)
    first.record("server", PIXEL, [event()])
    first.reset()
    assert Ledger(clock=clock, journal=path).arrivals() == []


@pytest.mark.faults
def test_the_line_is_written_before_the_answer(path: Path, clock: HandClock) -> None:
    with StandIn(journal=path, clock=clock) as standin:
        post_events(standin, body())
        event_types = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert event_types[0] == "arrivals"


def test_answers_and_remarks_are_known_again(path: Path, clock: HandClock) -> None:
    with StandIn(journal=path, clock=clock) as first:
        post_events(first, body(event(event_id=None)))
    again = StandIn(journal=path, clock=clock)
    assert (again.notes.answers(), again.notes.remarks()) == (first.notes.answers(), first.notes.remarks())


@pytest.mark.privacy
def test_no_token_and_no_plain_email_is_written(path: Path, clock: HandClock) -> None:
    with StandIn(journal=path, clock=clock) as standin:
        post_events(standin, body())
        standin.exchange.pixel(pixel_call(user={"email": "anna@example.org"}), user_agent="", ip="")
    text = path.read_text()
    assert TOKEN not in text
    assert "anna@example.org" not in text


def test_a_ledger_and_a_journal_for_another_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="Ledger"):
        StandIn(ledger=Ledger(), journal=path)
