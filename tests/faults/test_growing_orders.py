"""Orders grow while workers send: what TikTok got is what is stored, byte for byte, and it is whole."""

from __future__ import annotations

import json
import signal

import pytest

from tests.faults.bodies import stored
from tests.faults.invariant import every_event_is_counted_once_or_says_why_not
from tests.faults.site import LOOP, OUTBOX, PATIENT, Site

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

ORDERS = 400
SETTINGS = PATIENT | {"DJANGO_SETTINGS_MODULE": "tests.faults.with_lines"}
EAGER = (*LOOP[:-1], "0.01")


def arrived(site: Site) -> dict[str, set[str]]:
    """Every body that came, by its event."""
    found: dict[str, set[str]] = {}
    for one in site.standin.ledger.arrivals():
        found.setdefault(one.event_id, set()).add(json.dumps(one.body, separators=(",", ":")))
    return found


def test_every_body_that_came_is_the_stored_one_with_all_its_lines(site: Site) -> None:
    with site.workers(2, *EAGER, **SETTINGS):
        sold = site.run("-m", "tests.faults.growing", str(ORDERS), seconds=120, **SETTINGS)
        site.settle()
    bodies = stored(site)

    assert sold.returncode == 0, site.told()
    assert every_event_is_counted_once_or_says_why_not(site, ORDERS) == {"delivered": ORDERS}
    assert {event_id: {body} for event_id, body in bodies.items()} == arrived(site)
    lines = {len(json.loads(body)["properties"]["contents"]) for body in bodies.values()}
    assert lines == {2}


def test_one_whose_process_was_killed_right_after_the_commit_is_sent_whole_by_the_sweep(site: Site) -> None:
    dead = site.run("-m", "tests.faults.growing", "0", "dies", **SETTINGS)
    assert dead.returncode == -signal.SIGKILL, site.told()
    with site.workers(1, *EAGER, **SETTINGS):
        site.wait_for(lambda: bool(site.sql("SELECT 1 FROM tiktok_attribution_heartbeat")), "the loop has looked")
        assert site.attempts() == 0
        site.sql(f"UPDATE {OUTBOX} SET unfinished_since = 0")  # noqa: S608 -- what the time does
        site.settle()

    assert every_event_is_counted_once_or_says_why_not(site, 1) == {"delivered": 1}
    ((event_id, body),) = stored(site).items()
    assert arrived(site) == {event_id: {body}}
    assert [item["content_id"] for item in json.loads(body)["properties"]["contents"]] == ["first", "second"]
