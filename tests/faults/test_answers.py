"""TikTok in trouble for a while, then healthy: two workers run through all of it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not, repeats, what_attempts_came_to
from tests.faults.site import PATIENT, Site

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

EVENTS = 60
BATCH = {"FAULT_BATCH_SIZE": "10"}
BAD = "order-7"
OTHER_TOKEN = "f" * 40


@pytest.fixture(scope="module")
def serving(shared_site: Site) -> Iterator[None]:
    """Workers that live through every trouble of this module but those that stop a pixel."""
    shared_site.clean()
    with shared_site.workers(2, **BATCH):
        yield


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    ("trouble", "details"),
    [
        ("http_429", {"retry_after": 1}),
        ("rate_limited", {}),
        ("rate_limited_401", {}),
        ("http_500", {}),
        ("http_500", {"accept": True}),
        ("http_500_code_0", {"accept": True}),
        ("http_502_html", {}),
        ("http_502_html", {"accept": True}),
        ("http_503", {}),
        ("system_error", {}),
        ("system_error", {"accept": True}),
        ("maintenance", {}),
        ("empty_body", {"accept": True}),
        ("not_json", {}),
        ("reset", {}),
        ("reset", {"accept": True}),
        ("hang", {"seconds": 1.5}),
        ("hang", {"seconds": 1.5, "accept": True}),
        ("slow_body", {"seconds": 1.5}),
    ],
)
def test_every_event_is_counted_once_when_it_is_over(site: Site, trouble: str, details: dict[str, Any]) -> None:
    site.standin.faults.add(trouble, times=4, **details)
    site.fill(EVENTS)
    site.settle()

    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
    assert site.standin.faults.active() == []  # or there was no trouble to live through


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_a_bad_event_is_the_only_one_that_is_not_counted(site: Site, named: bool) -> None:
    site.standin.faults.poison(BAD, named=named)
    site.fill(EVENTS)
    site.settle()
    (rejected,) = [row for row in site.rows() if row.state == "rejected"]

    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS - 1, "rejected": 1}
    assert rejected.event_id == BAD


@pytest.mark.usefixtures("serving")
def test_all_problems_at_random_and_at_once(site: Site) -> None:
    site.standin.faults.poison(BAD)
    for trouble in ("http_429", "http_500", "http_502_html", "system_error", "empty_body", "rate_limited"):
        site.standin.faults.add(trouble, times=3, probability=0.3, retry_after=0)
    site.standin.faults.add("reset", times=3, probability=0.3, accept=True)
    site.standin.faults.add("hang", times=2, probability=0.3, seconds=1.5, accept=True)
    site.fill(500)
    site.settle()

    assert every_event_is_counted_once_or_says_why_not(site, 500) == {"delivered": 499, "rejected": 1}


@pytest.mark.parametrize("silent", [True, False], ids=["nobody listens", "reset before a byte is read"])
def test_events_wait_while_nothing_can_be_sent_and_are_sent_once(site: Site, silent: bool) -> None:
    site.standin.stop()
    site.fill(EVENTS)
    with site.workers(2, **BATCH, **PATIENT):
        with nullcontext() if silent else _resetting(site.standin.port):
            site.wait_for(lambda: site.attempts() >= 3, "three attempts")
        waited = site.waiting()
        site.standin.start()
        site.settle()

    assert waited == EVENTS
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
    assert repeats(site) == 0, what_attempts_came_to(site)


@pytest.mark.parametrize("trouble", ["token_revoked", "token_401", "no_permission"])
def test_a_pixel_that_was_stopped_says_why_and_goes_on_with_another_token(site: Site, trouble: str) -> None:
    site.standin.faults.add(trouble, times=None)
    site.fill(EVENTS)
    with site.workers(1, **BATCH, **PATIENT) as (worker,):
        site.wait_for(lambda: any(row.told for row in site.rows()), "the pixel says why it was stopped")
        time.sleep(0.5)  # time to do more than it may
        assert worker.poll() is None
    stopped = every_event_is_counted_once_or_says_why_not(site, EVENTS)
    site.standin.faults.clear()
    site.expire_leases()  # of the worker that was killed
    with site.workers(1, **BATCH, **PATIENT, FAULT_TOKEN=OTHER_TOKEN):
        site.settle()

    assert stopped == {"waiting": EVENTS}
    assert every_event_is_counted_once_or_says_why_not(site, EVENTS) == {"delivered": EVENTS}
    assert repeats(site) == 0, what_attempts_came_to(site)


@contextmanager
def _resetting(port: int) -> Iterator[None]:
    """Somebody on that port who resets each connection."""
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(0.05)

        def refuse() -> None:
            while not ending.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield
        ending.set()
        thread.join(5)
