"""A worker or a web process whose clock is wrong by an hour or a day, among others whose clocks are right."""

from __future__ import annotations

import signal

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not, what_attempts_came_to
from tests.faults.site import LOOP, NeverSettled, Site, kill

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

HOUR, DAY = 3600, 86_400
SKEWS = {"an hour ahead": HOUR, "a day ahead": DAY, "an hour behind": -HOUR, "a day behind": -DAY}
AHEAD_AND_BEHIND = {"an hour ahead": HOUR, "an hour behind": -HOUR}

EVENTS = 200
ORDERS = 12
BATCH = 20
SETTINGS = {"FAULT_BATCH_SIZE": str(BATCH)}
SLOWLY = {"FAULT_EVENTS_PER_SECOND": "100"}
LEASE_SECONDS = 2.1  # three time-outs of the suite's settings
BOUND_SECONDS = 10.0  # for the start of a process and the sending, on a busy machine


def skewed(seconds: int, *command: str) -> tuple[str, ...]:
    """`python -m …` by a clock that is ahead by so much."""
    module, *arguments = command[1:]
    return ("-m", "tests.faults.skewed", str(seconds), module, *arguments)


def let_work(site: Site, seconds: int, *, requests: int) -> None:
    """Until so many requests have come. A worker whose clock is behind may also find that nothing is due yet."""

    def has_worked() -> bool:
        return len(site.standin.notes.answers()) >= requests or (seconds < 0 and has_looked(site))

    site.wait_for(has_worked, "the worker with the wrong clock has worked")


def has_looked(site: Site) -> bool:
    """Whether a worker has been through once."""
    return bool(site.sql("SELECT 1 FROM tiktok_attribution_heartbeat"))


def settle_soon(site: Site, *, seconds: float = LEASE_SECONDS + BOUND_SECONDS) -> None:
    """Until no event waits. Raises NeverSettled, which says how far that came."""
    try:
        site.wait_for(lambda: not site.waiting(), "no event waits", seconds=seconds)
    except NeverSettled as never:
        raise NeverSettled(f"{never}\n{what_attempts_came_to(site)}") from None


def deliver_the_rest(site: Site, **environment: str) -> None:
    with site.workers(1, **SETTINGS, **environment):
        settle_soon(site)


@pytest.mark.parametrize("seconds", SKEWS.values(), ids=SKEWS)
def test_what_a_killed_worker_with_a_wrong_clock_leaves_is_sent_when_its_lease_ends(site: Site, seconds: int) -> None:
    site.fill(EVENTS)
    site.standin.faults.latency_ms = 400  # so that the kill falls into a POST; less than the time-out
    with site.workers(1, *skewed(seconds, *LOOP), **SETTINGS) as (worker,):
        let_work(site, seconds, requests=3)
        kill(worker)
    left = site.waiting()
    site.standin.faults.latency_ms = 0
    deliver_the_rest(site)

    assert left > 0
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}


@pytest.mark.parametrize("seconds", AHEAD_AND_BEHIND.values(), ids=AHEAD_AND_BEHIND)
def test_what_a_worker_with_a_wrong_clock_postponed_is_soon_tried_again(site: Site, seconds: int) -> None:
    site.fill(EVENTS)
    site.standin.faults.add("http_500", times=None)
    with site.workers(1, *skewed(seconds, *LOOP), **SETTINGS) as (worker,):
        let_work(site, seconds, requests=8)  # enough for the breaker to open
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    site.standin.faults.clear()
    deliver_the_rest(site)

    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}


@pytest.mark.parametrize("seconds", AHEAD_AND_BEHIND.values(), ids=AHEAD_AND_BEHIND)
def test_the_rate_limit_of_a_worker_with_a_wrong_clock_stops_no_other(site: Site, seconds: int) -> None:
    site.fill(EVENTS)
    with site.workers(1, *skewed(seconds, *LOOP), **SETTINGS, **SLOWLY) as (worker,):
        let_work(site, seconds, requests=4)
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    left = site.waiting()
    deliver_the_rest(site, **SLOWLY)

    assert left > 0
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}


@pytest.mark.parametrize("seconds", SKEWS.values(), ids=SKEWS)
def test_what_a_web_process_with_a_wrong_clock_sells_is_sent_at_once(site: Site, seconds: int) -> None:
    shop = skewed(seconds, "-m", "tests.faults.growing", str(ORDERS))
    with site.workers(1, **SETTINGS):
        site.wait_for(lambda: has_looked(site), "the worker has begun")
        sold = site.run(*shop, **SETTINGS)
        settle_soon(site, seconds=BOUND_SECONDS)

    assert sold.returncode == 0, site.told()
    assert every_event_is_counted_once_or_says_why_not(site, ORDERS) == {"delivered": ORDERS}
