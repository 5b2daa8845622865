"""A worker that is killed: before, during and after the POST."""

from __future__ import annotations

import signal

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not, repeats
from tests.faults.site import LOOP, Site, kill

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

EVENTS = 40
BATCH = 20
ONE_LANE = {"FAULT_LANES": "1", "FAULT_BATCH_SIZE": str(BATCH)}


def killed_at(site: Site, moment: str) -> None:
    """Fill the outbox, and let a worker die at that moment of its first batch."""
    site.fill(EVENTS, **ONE_LANE)
    dead = site.run("-m", "tests.faults.dying", moment, **ONE_LANE)
    assert dead.returncode == -signal.SIGKILL, site.told()


@pytest.mark.parametrize(
    ("moment", "arrived", "sent_again"),
    [("leased", 0, 0), ("noted", 0, 0), ("answered", BATCH, BATCH), ("marking", BATCH, BATCH), ("marked", BATCH, 0)],
)
def test_the_next_worker_finishes_what_a_killed_one_began(
    site: Site, moment: str, arrived: int, sent_again: int
) -> None:
    killed_at(site, moment)
    at_the_kill = site.standin.ledger.event_total
    with site.workers(1, **ONE_LANE):
        site.settle()

    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
    assert (at_the_kill, repeats(site)) == (arrived, sent_again)


@pytest.mark.parametrize(("moment", "noted"), [("noted", BATCH), ("answered", BATCH), ("marking", BATCH), ("marked", 0)])
def test_an_attempt_that_nobody_saw_the_end_of_is_noted_on_its_events(site: Site, moment: str, noted: int) -> None:
    killed_at(site, moment)
    with site.workers(1, **ONE_LANE):
        site.settle()
    ((events,),) = site.sql(
        "SELECT coalesce(sum(event_count), 0) FROM tiktok_attribution_attempt WHERE outcome = 'unknown'"
    )

    assert events == noted


def test_a_worker_that_is_killed_while_tiktok_thinks_costs_nothing(site: Site) -> None:
    site.fill(EVENTS)
    site.standin.faults.latency_ms = 500
    with site.workers(1, *LOOP) as (worker,):
        assert site.standin.ledger.wait_for(lambda ledger: ledger.event_total > 0, timeout_seconds=30)
        kill(worker)
    left_by_the_dead = site.waiting()
    site.standin.faults.latency_ms = 0
    with site.workers(2):
        site.settle()

    assert left_by_the_dead == EVENTS  # or the kill came too late to test anything
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
