"""TikTok names a time before which it wants no request: what is sold until then wakes workers all the same."""

from __future__ import annotations

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not
from tests.faults.site import PATIENT, Site

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

ORDERS = 10
LONG = PATIENT | {"FAULT_RETRY_MAX_SECONDS": "60"}  # which is also the longest pause


def sell(site: Site, orders: int) -> None:
    """In a process of its own: what one worker was told, the others must keep to."""
    sold = site.run("-m", "tests.faults.waking", str(orders), **LONG)
    assert sold.returncode == 0, site.told()


def requests(site: Site) -> int:
    return len(site.standin.notes.answers())


def test_no_request_is_made_before_the_time_that_tiktok_named(site: Site) -> None:
    site.standin.faults.add("http_429", retry_after=30)
    sell(site, 1)
    first = requests(site)
    sell(site, ORDERS)

    assert (first, requests(site) - first) == (1, 0)
    assert site.waiting() == 1 + ORDERS


def test_what_was_sold_before_that_time_is_sent_after_it(site: Site) -> None:
    site.standin.faults.add("http_429", retry_after=1)
    sell(site, ORDERS)
    with site.workers(1, **LONG):
        site.settle()

    assert every_event_is_counted_once_or_says_why_not(site, ORDERS) == {"delivered": ORDERS}
