"""The daily counts of landings: what they tell apart, and that none of them waits for a later landing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.touches.conftest import Configure, Land, outcomes
from tiktok_attribution.models import Touch
from tiktok_attribution.touches import counting
from tiktok_attribution.touches.counting import NO_CONSENT, STORED, Counts

AT = 1_790_000_000.0


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[Any, int]]]:
    """What was written, without a database; in a process that is no test's."""
    found: list[dict[Any, int]] = []
    monkeypatch.setattr(counting, "write", lambda counts: found.append(dict(counts)))
    monkeypatch.setattr(counting, "is_test_process", lambda: False)
    monkeypatch.setattr(counting, "BETWEEN_SECONDS", 0.05)
    yield found
    for thread in threading.enumerate():
        if thread.name == "tiktok-landings":
            thread.join(5)


def test_the_last_landings_before_a_quiet_time_are_written(written: list[dict[Any, int]]) -> None:
    counts = Counts()
    for outcome in (NO_CONSENT, STORED, STORED):
        counts.add("", outcome, AT)
    assert [sum(one.values()) for one in written] == [1]
    assert counts._timer is not None
    counts._timer.join(5)
    assert [{key[2]: many for key, many in one.items()} for one in written] == [{NO_CONSENT: 1}, {STORED: 2}]
    assert not counts._waiting


def test_one_thread_writes_however_many_landings_wait(written: list[dict[Any, int]]) -> None:
    counts = Counts()
    for _ in range(50):
        counts.add("", STORED, AT)
    assert sum(thread.name == "tiktok-landings" for thread in threading.enumerate()) == 1
    assert counts._timer is not None
    counts._timer.join(5)
    counts._next = float("inf")
    counts.add("", STORED, AT)  # a thread that has ended is no obstacle
    counts._timer.join(5)
    assert sum(sum(one.values()) for one in written) == 51


def test_a_server_without_threads_still_counts(written: list[dict[Any, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def start(timer: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", start)
    counts = Counts()
    counts.add("", STORED, AT)
    counts.add("", STORED, AT)
    counts.flush()
    assert sum(sum(one.values()) for one in written) == 2


def test_no_thread_writes_into_a_test_of_the_site() -> None:
    counts = Counts()
    counts._next = float("inf")
    counts.add("", STORED, AT)
    assert counts._timer is None


@pytest.mark.django_db
def test_only_the_landings_of_ads_count_as_such(land: Land, configure: Configure) -> None:
    configure(ATTRIBUTION={"other_channels": True})
    for query in ("ttclid=E.C.P.one", "utm_source=tiktok", "utm_source=newsletter&utm_medium=email"):
        land(query, REMOTE_ADDR="81.2.69.142")
    assert Touch.objects.count() == 3
    assert outcomes() == {"stored": 1, "unpaid": 2}
