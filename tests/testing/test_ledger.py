"""De-duplication as TikTok documents it, by a clock that the test moves."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.testing.samples import EMAIL, PHONE, PIXEL, HandClock, event
from tiktok_attribution.testing.arrivals import Channel, EventCount
from tiktok_attribution.testing.ledger import Ledger

MINUTE = 60
HOUR = 3600


@pytest.fixture
def ledger(clock: HandClock) -> Ledger:
    return Ledger(clock=clock)


def arrive(ledger: Ledger, clock: HandClock, *arrivals: tuple[Channel, float], **changes: Any) -> None:
    """Each arrival is (channel, seconds after the start)."""
    start = clock.now
    for channel, after in arrivals:
        clock.now = start + after
        ledger.record(channel, PIXEL, [event(**changes)])


def fates(ledger: Ledger) -> list[str]:
    return [one.fate for one in ledger.arrivals()]


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        pytest.param([("server", 0), ("server", 48 * HOUR)], ["counted", "repeat"], id="server in 48 h"),
        pytest.param([("browser", 0), ("browser", 48 * HOUR)], ["counted", "repeat"], id="browser in 48 h"),
        pytest.param([("server", 0), ("server", 48 * HOUR + 1)], ["counted", "counted"], id="after 48 h"),
        pytest.param([("browser", 0), ("server", 5 * MINUTE)], ["counted", "merged"], id="in 5 minutes"),
        pytest.param([("server", 0), ("browser", 5 * MINUTE)], ["counted", "merged"], id="server first"),
        pytest.param([("browser", 0), ("server", 5 * MINUTE + 1)], ["counted", "late"], id="after 5 minutes"),
        pytest.param([("browser", 0), ("server", 48 * HOUR)], ["counted", "late"], id="late in 48 h"),
        pytest.param([("browser", 0), ("server", 48 * HOUR + 1)], ["counted", "counted"], id="other after 48 h"),
        pytest.param(
            [("browser", 0), ("server", 60), ("server", 90)], ["counted", "merged", "repeat"], id="merged, again"
        ),
        pytest.param(
            [("browser", 0), ("browser", 60), ("server", 90)], ["counted", "repeat", "merged"], id="repeat, merged"
        ),
        pytest.param(
            [("browser", 0), ("server", 400), ("server", 500)], ["counted", "late", "repeat"], id="late, again"
        ),
        pytest.param(
            [("server", 0), ("server", 49 * HOUR), ("browser", 49 * HOUR + 60)],
            ["counted", "counted", "merged"],
            id="anew, then merged",
        ),
    ],
)
def test_fate(ledger: Ledger, clock: HandClock, arrivals: list[Any], expected: list[str]) -> None:
    arrive(ledger, clock, *arrivals)
    assert fates(ledger) == expected


def test_both_channels_make_one_row_that_is_counted_once(ledger: Ledger, clock: HandClock) -> None:
    arrive(ledger, clock, ("browser", 0), ("server", 30))
    (row,) = ledger.events()
    assert (row.counted, row.state, row.apart_seconds) == (1, "merged", 30)


@pytest.mark.parametrize(
    ("arrivals", "state"),
    [
        ([("browser", 0)], "browser only"),
        ([("server", 0)], "server only"),
        ([("browser", 0), ("server", 301)], "late"),
        ([("browser", 0), ("server", 49 * HOUR)], "counted apart"),
    ],
)
def test_state_of_a_row(ledger: Ledger, clock: HandClock, arrivals: list[Any], state: str) -> None:
    arrive(ledger, clock, *arrivals)
    assert [row.state for row in ledger.events()] == [state]


@pytest.mark.parametrize("second", [{"event": "CompletePayment"}, {"event_id": "order-2"}])
def test_another_name_or_id_is_another_event(ledger: Ledger, second: dict[str, str]) -> None:
    ledger.record("browser", PIXEL, [event()])
    ledger.record("server", PIXEL, [event(**second)])
    assert fates(ledger) == ["counted", "counted"]


def test_another_pixel_is_another_event(ledger: Ledger) -> None:
    ledger.record("browser", PIXEL, [event()])
    ledger.record("server", "C0OTHER", [event()])
    assert fates(ledger) == ["counted", "counted"]


@pytest.mark.parametrize("event_id", [None, ""])
def test_events_without_an_id_are_each_counted(ledger: Ledger, event_id: str | None) -> None:
    ledger.record("server", PIXEL, [event(event_id=event_id), event(event_id=event_id)])
    assert [row.counted for row in ledger.events()] == [1, 1]


def test_a_repeat_within_one_request_is_dropped(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event(), event()])
    assert fates(ledger) == ["counted", "repeat"]


def test_the_later_channel_enriches_the_first(ledger: Ledger, clock: HandClock) -> None:
    ledger.record("browser", PIXEL, [event(user={"email": EMAIL}, properties={})])
    ledger.record("server", PIXEL, [event(user={"phone": PHONE})])
    (row,) = ledger.events()
    assert (row.matching_keys, row.value, row.currency) == (("email", "phone"), 19.9, "EUR")


def test_the_first_channel_keeps_its_value(ledger: Ledger) -> None:
    ledger.record("browser", PIXEL, [event()])
    ledger.record("server", PIXEL, [event(properties={"value": 5, "currency": "USD"})])
    (row,) = ledger.events()
    assert (row.value, row.currency) == (19.9, "EUR")


def test_a_dropped_channel_enriches_nothing(ledger: Ledger, clock: HandClock) -> None:
    ledger.record("browser", PIXEL, [event(user={"email": EMAIL})])
    clock.now += 301
    ledger.record("server", PIXEL, [event(user={"phone": PHONE})])
    assert ledger.events()[0].matching_keys == ("email",)


def test_test_events_are_kept_apart(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event()], test_event_code="TEST11178")
    assert (ledger.events(), ledger.counts(), len(ledger.test_events())) == ([], {}, 1)


def test_a_test_event_does_not_deduplicate_the_real_one(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event()], test_event_code="TEST11178")
    ledger.record("server", PIXEL, [event()])
    assert fates(ledger) == ["counted"]


def test_counts_by_name(ledger: Ledger, clock: HandClock) -> None:
    arrive(ledger, clock, ("browser", 0), ("server", 1), ("server", 2))
    arrive(ledger, clock, ("server", 3), event="Lead")
    assert ledger.counts() == {
        "Purchase": EventCount(browser=1, server=2, counted=1),
        "Lead": EventCount(browser=0, server=1, counted=1),
    }


def test_a_name_that_never_arrived_counts_nothing(ledger: Ledger) -> None:
    counts = ledger.counts()
    assert (counts["Purchase"], counts) == (EventCount(), {})


def test_counts_of_one_pixel(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event()])
    ledger.record("server", "C0OTHER", [event()])
    assert ledger.counts(pixel="C0OTHER")["Purchase"].counted == 1


def test_arrivals_by_channel_and_name(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event(), event(event="Lead")])
    ledger.record("browser", PIXEL, [event(event="Lead")])
    assert [one.number for one in ledger.arrivals("server", event="Lead")] == [2]


def test_merged_gives_only_what_was_merged(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event(), event(event_id="order-2")])
    ledger.record("browser", PIXEL, [event()])
    assert [row.event_id for row in ledger.merged()] == ["order-1"]


def test_an_arrival_keeps_what_was_sent(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event()])
    assert ledger.arrivals()[0].body == event()


def test_newest_rows_come_in_the_order_of_arrival(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event(event_id=str(number)) for number in range(5)])
    assert [row.event_id for row in ledger.events(newest=2)] == ["3", "4"]


def test_rows_handed_out_are_copies(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event()])
    ledger.events()[0].counted = 9
    assert ledger.events()[0].counted == 1


def test_reset_forgets_everything(ledger: Ledger) -> None:
    ledger.record("server", PIXEL, [event()])
    ledger.record("server", PIXEL, [event()], test_event_code="T")
    ledger.reset()
    assert (ledger.events(), ledger.arrivals(), ledger.test_events(), ledger.counts()) == ([], [], [], {})


def test_many_threads_count_one_event_once(ledger: Ledger) -> None:
    start = threading.Barrier(8)

    def send() -> None:
        start.wait()
        for number in range(50):
            ledger.record("server", PIXEL, [event(event_id=str(number))])

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.counts()["Purchase"] == EventCount(server=400, counted=50)


def test_wait_for_ends_when_the_event_arrives(ledger: Ledger) -> None:
    sender = threading.Timer(0.05, ledger.record, ("server", PIXEL, [event()]))
    sender.start()
    assert ledger.wait_for(lambda now: len(now.arrivals()) == 1)
    sender.join()


def test_wait_for_gives_up(ledger: Ledger) -> None:
    assert not ledger.wait_for(lambda now: bool(now.arrivals()), timeout_seconds=0.01)
