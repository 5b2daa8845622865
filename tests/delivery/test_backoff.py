from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.delivery.responses import delay_seconds

attempts = st.integers(0, 32_767)
bases = st.floats(0.01, 3600)
mosts = st.floats(0.01, 86_400)
floors = st.floats(0, 86_400)


@given(attempts, bases, mosts)
def test_a_delay_is_never_longer_than_the_limit(attempts: int, base: float, most: float) -> None:
    assert 0 <= delay_seconds(attempts, base=base, most=most) <= most


@given(attempts, bases, mosts)
def test_the_first_delays_stay_below_their_doubling_ceiling(attempts: int, base: float, most: float) -> None:
    ceiling = base * 2.0 ** min(attempts, 1000)

    assert delay_seconds(attempts, base=base, most=most) <= ceiling


@given(attempts, bases, mosts, floors)
def test_tiktoks_wish_is_the_floor(attempts: int, base: float, most: float, floor: float) -> None:
    assert floor <= delay_seconds(attempts, base=base, most=most, floor=floor) <= max(most, floor)


@given(st.integers(0, 10**9), bases, mosts)
def test_any_number_of_attempts_gives_a_finite_delay(attempts: int, base: float, most: float) -> None:
    assert math.isfinite(delay_seconds(attempts, base=base, most=most))


def test_delays_are_spread_over_their_whole_range() -> None:
    delays = [delay_seconds(3, base=1, most=100) for _ in range(2000)]

    assert min(delays) < 0.4
    assert max(delays) > 7.6
