"""A worker that is killed: before, during and after the POST."""

from __future__ import annotations

import signal

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not, repeats, what_attempts_came_to
from tests.faults.site import ATTEMPT, PATIENT, Site, kill

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

EVENTS = 40
BATCH = 20
ONE_LANE = PATIENT | {"FAULT_LANES": "1", "FAULT_BATCH_SIZE": str(BATCH)}


def killed_at(site: Site, moment: str) -> None:
    """Fill the outbox, and let a worker die at that moment of its first batch."""
    site.fill(EVENTS, lanes=1)
    dead = site.run("-m", "tests.faults.dying", moment, **ONE_LANE)
    assert dead.returncode == -signal.SIGKILL, site.told()


@pytest.mark.parametrize(
    ("moment", "arrived", "sent_again", "noted"),
    [
        ("leased", 0, 0, 0),
        ("noted", 0, 0, BATCH),
        ("answered", BATCH, BATCH, BATCH),
        ("marking", BATCH, BATCH, BATCH),
        ("taking the next", BATCH, BATCH, BATCH),  # in the transaction of the marks, which goes with it
        ("marked", BATCH, 0, BATCH),  # the next batch stands as on its way
    ],
)
def test_the_next_worker_notes_what_a_killed_one_left_and_finishes_it(
    site: Site, moment: str, arrived: int, sent_again: int, noted: int
) -> None:
    killed_at(site, moment)
    at_the_kill = site.standin.ledger.event_total
    site.expire_leases()
    with site.workers(1, **ONE_LANE):
        site.settle()
    attempts = site.sql(f"SELECT event_count FROM {ATTEMPT} WHERE outcome = 'unknown'")  # noqa: S608 -- a constant
    found = (at_the_kill, repeats(site), sum(count for (count,) in attempts))

    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
    assert found == (arrived, sent_again, noted), what_attempts_came_to(site)


def test_a_worker_that_is_killed_while_tiktok_thinks_costs_nothing(site: Site) -> None:
    site.fill(EVENTS)
    site.standin.faults.latency_ms = 10_000  # longer than the workers' patience, so that the kill can't come too late
    with site.workers(1) as (worker,):
        assert site.standin.ledger.wait_for(lambda ledger: ledger.event_total > 0, timeout_seconds=30)
        kill(worker)
    left_by_the_dead = site.waiting()
    site.standin.faults.latency_ms = 0
    with site.workers(2):
        site.settle()

    assert left_by_the_dead == EVENTS
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
