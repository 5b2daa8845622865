"""Windows, models and money, by the golden cases of `cases.json` and by properties."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attribution.samples import moment_of
from tiktok_attribution.attribution.credit import (
    DAY_SECONDS,
    LAST_TIKTOK,
    MODELS,
    OTHER,
    PAID,
    TouchPoint,
    eligible,
    first_landings,
    net_value,
    shares,
    split,
    stored_credits,
)
from tiktok_attribution.attribution.days import bounds_of, day_of

CASES = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))
NOW = 1_790_000_000
WINDOWS = (1, 7, 14, 28)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['title']}")
def test_a_golden_case(case: dict[str, Any]) -> None:
    conversion = case["conversion"]
    at, digits = conversion["at"], conversion["minor_digits"]
    names = {ord(touch["key"]): touch["key"] for touch in case["touches"]}
    touches = [TouchPoint(key=ord(one["key"]), at=one["at"], traffic=one["kind"]) for one in case["touches"]]
    for window, models in case["expected"].items():
        days = int(window)
        placed_at = conversion.get("placed_at")
        inside = eligible(touches, at=at, window=days, placed_at=placed_at, other_channels=case["other_channels"])
        assert set(models) == set(MODELS)
        for model, wanted in models.items():
            found = shares(model, inside, at=at, window=days)
            parts = split(Decimal(conversion["value"]), [share for _, share in found], digits=digits)
            credit = {names[touch.key]: float(share) for touch, share in found}
            money = {names[touch.key]: str(part) for (touch, _), part in zip(found, parts, strict=True)}
            assert credit == pytest.approx(wanted["credit"], abs=1e-6), (window, model)
            assert money == wanted["money"], (window, model)


def last_click(touches: list[TouchPoint], at: int, window: int, placed_at: int | None = None) -> list[int]:
    inside = eligible(first_landings(touches), at=at, window=window, placed_at=placed_at)
    return [touch.key for touch, _ in shares(LAST_TIKTOK, inside, at=at, window=window)]


def test_the_same_click_id_twice_is_one_touch_at_its_first_landing() -> None:
    touches = [
        TouchPoint(key=2, at=NOW - 2 * DAY_SECONDS, click=77),
        TouchPoint(key=1, at=NOW - 9 * DAY_SECONDS, click=77),
    ]
    assert [last_click(touches, NOW, window) for window in WINDOWS] == [[], [], [1], [1]]


def test_a_click_that_was_opened_again_in_another_browser_is_one_touch() -> None:
    before = NOW - 3 * DAY_SECONDS
    touches = first_landings(
        [
            TouchPoint(key=1, at=before, click=88),
            TouchPoint(key=2, at=before + 40, click=88),
            TouchPoint(key=3, at=NOW - DAY_SECONDS, click=99),
        ]
    )
    found = shares("linear", eligible(touches, at=NOW, window=7), at=NOW, window=7)
    assert [(touch.key, share) for touch, share in found] == [(1, Fraction(1, 2)), (3, Fraction(1, 2))]


def test_touches_without_a_click_id_are_each_one() -> None:
    assert len(first_landings([TouchPoint(key=1, at=1), TouchPoint(key=2, at=1)])) == 2


@pytest.mark.parametrize(
    ("click", "bought", "seconds", "is_inside"),
    [
        ("2026-03-28 12:00", "2026-03-29 12:30", 84_600, True),  # 24.5 hours by the wall clock, 23.5 by the watch
        ("2026-10-24 12:00", "2026-10-25 11:30", 88_200, False),  # 23.5 hours by the wall clock, 24.5 by the watch
    ],
)
def test_summer_time_changes_no_window(click: str, bought: str, seconds: int, is_inside: bool) -> None:
    clicked, at = moment_of(click, "Europe/Berlin"), moment_of(bought, "Europe/Berlin")
    assert at - clicked == seconds
    assert bool(last_click([TouchPoint(key=1, at=clicked)], at, 1)) is is_inside


def test_a_day_is_that_of_the_advertisers_zone() -> None:
    at = moment_of("2026-03-02 07:30", "Europe/Berlin")
    assert str(day_of(at, ZoneInfo("America/Los_Angeles"))) == "2026-03-01"
    assert str(day_of(at, ZoneInfo("Europe/Berlin"))) == "2026-03-02"


def test_days_have_23_24_and_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    lengths = []
    for text in ("2026-03-29 12:00", "2026-10-25 12:00", "2026-06-01 12:00"):
        first, end = bounds_of(day_of(moment_of(text, "Europe/Berlin"), berlin), berlin)
        lengths.append((end - first) // 3600)
    assert lengths == [23, 25, 24]


def test_a_click_between_the_order_and_its_payment_never_counts() -> None:
    placed_at = NOW - 3 * DAY_SECONDS
    touches = [
        TouchPoint(key=1, at=placed_at - 6 * DAY_SECONDS),
        TouchPoint(key=2, at=placed_at + 2 * DAY_SECONDS),
    ]
    assert [last_click(touches, NOW, window, placed_at) for window in WINDOWS] == [[], [], [1], [1]]


def test_refunds_lower_the_value_and_never_below_nothing() -> None:
    value, halves = Decimal("100.00"), [Fraction(1, 2)] * 2
    net = net_value(value, Decimal("30.00"), is_reversed=False)
    assert split(net, halves, digits=2) == [Decimal("35.00")] * 2
    assert net_value(value, Decimal("110.00"), is_reversed=False) == 0
    assert net_value(value, Decimal(0), is_reversed=True) == 0
    assert net_value(None, Decimal(5), is_reversed=False) == 0
    assert stored_credits(halves, of=0) == [0, 0]


def test_an_amount_finer_than_its_currency_still_sums_up() -> None:
    assert split(Decimal("0.015"), [Fraction(1, 2)] * 2, digits=2) == [Decimal("0.007"), Decimal("0.008")]


def test_zeros_that_a_column_adds_make_no_finer_steps() -> None:
    thirds = [Fraction(1, 3)] * 3
    assert list(map(str, split(Decimal("100.000000"), thirds, digits=2))) == ["33.33", "33.33", "33.34"]
    assert list(map(str, split(Decimal("1000.000000"), thirds, digits=0))) == ["333", "333", "334"]


def test_stored_credits_of_thirds_sum_to_one() -> None:
    assert stored_credits([Fraction(1, 3)] * 3) == [Decimal("0.333333333")] * 2 + [Decimal("0.333333334")]


@st.composite
def histories(draw: st.DrawFn) -> list[TouchPoint]:
    ages = st.integers(-5 * DAY_SECONDS, 40 * DAY_SECONDS) | st.sampled_from([0, 1, DAY_SECONDS, 7 * DAY_SECONDS])
    clicks = st.none() | st.integers(1, 4)
    drawn = draw(st.lists(st.tuples(ages, st.sampled_from([PAID, "organic", OTHER]), clicks), max_size=12))
    return [
        TouchPoint(key=key, at=NOW - age, traffic=traffic, click=click)
        for key, (age, traffic, click) in enumerate(drawn)
    ]


PLACED = st.none() | st.integers(NOW - 40 * DAY_SECONDS, NOW + DAY_SECONDS)
VALUES = st.decimals(0, 10**9, places=2) | st.decimals(0, 10**6, places=6) | st.decimals(0, 10**9, places=0)


AMOUNTS = st.tuples(VALUES, st.sampled_from([0, 2, 3]))


@given(histories(), st.sampled_from(MODELS), st.integers(1, 90), AMOUNTS, PLACED)
def test_credits_and_money_sum_to_the_conversion(
    touches: list[TouchPoint], model: str, window: int, amount: tuple[Decimal, int], placed_at: int | None
) -> None:
    value, digits = amount
    inside = eligible(first_landings(touches), at=NOW, window=window, placed_at=placed_at, other_channels=True)
    found = [share for _, share in shares(model, inside, at=NOW, window=window)]
    if found:
        assert sum(found) == 1
        assert sum(stored_credits(found)) == 1
        assert sum(split(value, found, digits=digits)) == value
        assert all(part >= 0 for part in split(value, found, digits=digits))
    else:
        assert not any(touch.traffic == PAID for touch in inside)


@given(histories(), st.randoms(use_true_random=False), st.sampled_from(MODELS), st.integers(1, 90))
def test_the_order_in_which_touches_come_does_not_matter(
    touches: list[TouchPoint], random: Any, model: str, window: int
) -> None:
    def credit(given: list[TouchPoint]) -> list[tuple[TouchPoint, Fraction]]:
        inside = eligible(first_landings(given), at=NOW, window=window, other_channels=True)
        return shares(model, inside, at=NOW, window=window)

    shuffled = touches[:]
    random.shuffle(shuffled)
    assert credit(shuffled) == credit(touches)


@given(histories(), st.sampled_from(MODELS), st.tuples(st.integers(1, 89), st.integers(1, 60)), st.booleans(), PLACED)
def test_a_wider_window_never_loses_a_conversion(
    touches: list[TouchPoint], model: str, windows: tuple[int, int], other: bool, placed_at: int | None
) -> None:
    window, more = windows

    def is_credited(days: int) -> bool:
        inside = eligible(first_landings(touches), at=NOW, window=days, placed_at=placed_at, other_channels=other)
        return bool(shares(model, inside, at=NOW, window=days))

    assert is_credited(window + more) or not is_credited(window)


@given(histories(), st.sampled_from(MODELS), st.integers(1, 90), st.booleans(), PLACED)
def test_nothing_outside_a_window_counts(
    touches: list[TouchPoint], model: str, window: int, other: bool, placed_at: int | None
) -> None:
    inside = eligible(first_landings(touches), at=NOW, window=window, placed_at=placed_at, other_channels=other)
    for touch, share in shares(model, inside, at=NOW, window=window):
        assert 0 <= NOW - touch.at <= window * DAY_SECONDS
        assert placed_at is None or touch.at <= placed_at
        assert other or touch.traffic != OTHER
        assert 0 < share <= 1
