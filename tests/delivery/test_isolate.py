from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.delivery.isolate import Search


def isolate(batch: list[int], bad: set[int], *, prime: bool = False) -> tuple[set[int], set[int], int]:
    """What is found bad, what is delivered, and the requests in all: batch, probes, rest, until nothing is left."""
    found: set[int] = set()
    delivered: set[int] = set()
    requests = 0
    while left := [row for row in batch if row not in found and row not in delivered]:
        requests += 1
        if not bad.intersection(left):
            delivered.update(left)
            continue
        search = Search(left, prime=prime)
        while not search.ended:
            requests += 1
            probe = search.probe
            if bad.intersection(probe):
                search.refused()
            else:
                delivered.update(probe)
                search.accepted()
        found.update(search.suspects)
    return found, delivered, requests


batches = st.integers(1, 300).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1))))


@given(batches, st.booleans())
def test_exactly_the_bad_events_are_found_and_all_others_delivered(batch: tuple[int, set[int]], prime: bool) -> None:
    size, bad = batch
    found, delivered, _ = isolate(list(range(size)), bad, prime=prime)

    assert (found, delivered) == (bad, set(range(size)) - bad)


@given(st.integers(2, 1000).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_one_bad_event_costs_log2_n_and_two_requests(batch: tuple[int, int]) -> None:
    size, bad = batch
    _, _, requests = isolate(list(range(size)), {bad})

    assert requests <= math.ceil(math.log2(size)) + 2


def test_one_bad_event_among_1000_costs_at_most_12_requests() -> None:
    assert max(isolate(list(range(1000)), {bad})[2] for bad in range(1000)) == 12


def test_a_prime_suspect_that_is_bad_is_found_by_one_probe() -> None:
    assert isolate(list(range(1000)), {0}, prime=True) == ({0}, set(range(1, 1000)), 3)
