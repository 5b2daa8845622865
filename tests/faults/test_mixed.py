"""Everything at once: orders grow, workers are killed and paused, a shop process dies, TikTok answers badly."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import replace

import pytest

from tests.faults.bodies import kept_requests, stored, unlike_the_stored
from tests.faults.crew import KILLED, PAUSED, Crew
from tests.faults.invariant import every_event_is_counted_once_or_says_why_not, what_attempts_came_to
from tests.faults.site import CELERY, LOOP, OUTBOX, NeverSettled, Process, Site, kill
from tiktok_attribution.testing.faults import Faults

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

ORDERS = int(os.environ.get("FAULT_ORDERS") or 2000)  # .ci/full takes 60,000
MOST_SECONDS = 75 + ORDERS / 50
SHOPS = 2
BAD = 10
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.faults.with_lines"}
EACH = 0.02  # of the requests, for each trouble


@pytest.fixture
def with_broker(site: Site, valkey_server: str) -> Site:
    return replace(site, environment={"TEST_BROKER_URL": f"{valkey_server}/6"})


def spoil(faults: Faults) -> list[str]:
    """Arm every trouble; returns the events that TikTok refuses, with the 40002 that a whole batch then gets."""
    bad = [f"order-{1 + number * ORDERS // BAD}" for number in range(BAD)]
    for number, event_id in enumerate(bad):
        faults.poison(event_id, named=bool(number % 2))
    for accept in (False, True):
        for trouble in ("reset", "http_500", "system_error"):
            faults.add(trouble, times=None, probability=EACH, accept=accept)
        faults.add("answer", times=None, probability=EACH, code=51010, message="system busy", accept=accept)
        faults.add("hang", times=None, probability=EACH / 2, seconds=1.0, accept=accept)  # longer than the time-out
    faults.add("http_429", times=None, probability=EACH / 2, retry_after=1)
    faults.add("rate_limited", times=None, probability=EACH / 2)
    faults.add("slow_body", times=None, probability=5 * EACH, seconds=0.3)
    return bad


def open_shops(site: Site) -> list[Process]:
    """Processes that sell ORDERS together; the first one kills itself between its last commit and the next step."""
    each = ORDERS // SHOPS
    first = site.start("-m", "tests.faults.growing", str(each - 1), "dies", **SETTINGS)
    others = [site.start("-m", "tests.faults.growing", str(each), **SETTINGS) for _ in range(SHOPS - 1)]
    return [first, *others]


def disturb_until_settled(site: Site, crew: Crew, shops: list[Process]) -> None:
    """Kill and pause workers for as long as anything is sold or waits. Raises NeverSettled."""
    deadline, sold = time.monotonic() + MOST_SECONDS, False
    while not sold or site.waiting():
        time.sleep(random.uniform(0.3, 0.9))
        crew.disturb()
        if not sold and all(shop.poll() is not None for shop in shops):
            sold = True
            site.sql(f"UPDATE {OUTBOX} SET unfinished_since = 0 WHERE unfinished_since > 0")  # noqa: S608 -- as time does
        if time.monotonic() > deadline:
            raise NeverSettled(f"{site.waiting()} events wait, {crew.troubles}:\n{what_attempts_came_to(site)}")


def test_each_event_is_counted_once_with_the_stored_body_whatever_happens_to_workers_and_answers(
    with_broker: Site,
) -> None:
    site = with_broker
    bad = spoil(site.standin.faults)
    crew = Crew(site=site, commands=[LOOP, LOOP, LOOP, CELERY], environment=SETTINGS)
    with kept_requests() as requests, crew.at_work():
        shops = open_shops(site)
        try:
            disturb_until_settled(site, crew, shops)
        finally:
            for shop in shops:
                kill(shop)
    rejected = {row.event_id for row in site.rows() if row.state == "rejected"}
    wrong = unlike_the_stored(site, requests)

    assert [shop.returncode for shop in shops] == [-signal.SIGKILL, *[0] * (SHOPS - 1)], site.told()
    assert every_event_is_counted_once_or_says_why_not(site, ORDERS) == {"delivered": ORDERS - BAD, "rejected": BAD}
    assert rejected == set(bad)
    assert not wrong, f"{len(wrong)} of {len(requests)} requests: {wrong[:3]}"
    assert all('"first"' in text and '"second"' in text for text in stored(site).values())
    assert crew.troubles[KILLED] > 1 < crew.troubles[PAUSED]
