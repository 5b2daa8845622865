"""Several workers over one outbox, undisturbed and while they are killed one after another."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not, repeats, what_attempts_came_to
from tests.faults.site import LOOP, PATIENT, NeverSettled, Site, kill

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

EVENTS = int(os.environ.get("FAULT_EVENTS") or 5000)  # the release's run takes 100,000
LANES = 16
WITH_LANES = {"FAULT_LANES": str(LANES)}
WORKERS = 4
KILL_EVERY_SECONDS = 1.0


@pytest.mark.parametrize("count", [2, 4])
def test_nothing_is_sent_twice_where_nobody_dies(site: Site, count: int) -> None:
    site.fill(4000, lanes=LANES)
    with site.workers(count, **WITH_LANES, **PATIENT):
        site.settle()

    assert every_event_is_counted_once_or_says_why_not(site, 4000) == {"delivered": 4000}
    assert repeats(site) == 0, what_attempts_came_to(site)


def test_a_worker_killed_every_second_costs_no_event_and_counts_none_twice(site: Site) -> None:
    site.fill(EVENTS, lanes=LANES)
    site.standin.faults.latency_ms = 50  # so that a kill mostly falls into a POST
    kills = 0
    with site.workers(WORKERS, **WITH_LANES) as workers:
        deadline = time.monotonic() + 60 + EVENTS / 200
        while site.waiting():
            time.sleep(KILL_EVERY_SECONDS * random.uniform(0.7, 1.3))
            victim = random.randrange(WORKERS)
            kill(workers[victim])
            kills += 1
            workers[victim] = site.start(*LOOP, **WITH_LANES)
            if time.monotonic() > deadline:
                raise NeverSettled(f"{site.waiting()} of {EVENTS} events wait, {kills} kills:\n{site.told()}")

    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
    assert kills > 1
