"""Give a conversion back to the touches before it: windows, eligible touches, models, and money. Knows no Django.

- `eligible` returns the touches that a window holds, in their order.
- `shares` gives each of them its share of one conversion, by one of `MODELS`. The shares are fractions and sum to 1.
- `split` divides an amount by shares in steps of the currency's minor unit. The parts sum to the amount exactly.
- `net_value` is what refunds and a reversal leave of a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from types import MappingProxyType

DAY_SECONDS = 86_400
PAID, ORGANIC, OTHER = "paid", "organic", "other"

LAST_TIKTOK, LAST_TOUCH, FIRST_TOUCH = "last_tiktok", "last_touch", "first_touch"
LINEAR, POSITION, TIME_DECAY = "linear", "position", "time_decay"
REPORT_MODELS = (LAST_TIKTOK, LAST_TOUCH, FIRST_TOUCH, LINEAR)
"""The models of the report and the roll-up."""
MODELS = (*REPORT_MODELS, POSITION, TIME_DECAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchPoint:
    """A touch, as far as credit depends on it: `at` is epoch seconds, `key` orders touches of one second.

    `click` is a digest of the click id; None without one.
    """

    key: int
    at: int
    traffic: str = PAID
    click: int | None = None


Share = tuple[TouchPoint, Fraction]


def first_landings(touches: Iterable[TouchPoint]) -> list[TouchPoint]:
    """Keep the first landing of each click id, and every touch without one. The result is ordered by time, then key.

    A reload, a bookmark or "open in browser" is no second touch: the moment of the first landing stands, also if it
    lies before a window that would hold the second.
    """
    found, seen = [], set()
    for touch in sorted(touches, key=_order):
        if touch.click is None or touch.click not in seen:
            found.append(touch)
            seen.add(touch.click)
    return found


# Decision: a window is a number of seconds back from the conversion, both ends in, and not a number of calendar days.
# So a change to summer time and the time zone of the reader change no credit.
def eligible(
    touches: Iterable[TouchPoint], *, at: int, window: int, placed_at: int | None = None, other_channels: bool = False
) -> list[TouchPoint]:
    """Return the touches that a conversion at `at` may be given back to, ordered by time, then key.

    `window` is in days. No touch counts after `placed_at`, when the visitor made the object: a click on the way from an
    order to its payment brought nothing. Without `other_channels` only touches from TikTok count.
    """
    latest = at if placed_at is None else min(at, placed_at)
    earliest = at - window * DAY_SECONDS
    kept = [touch for touch in touches if earliest <= touch.at <= latest and (other_channels or touch.traffic != OTHER)]
    return sorted(kept, key=_order)


def _order(touch: TouchPoint) -> tuple[int, int]:
    return touch.at, touch.key


def shares(model: str, touches: Sequence[TouchPoint], *, at: int, window: int) -> list[Share]:
    """Return touches with their shares of a conversion, in order; they sum to 1. Empty where no touch counts.

    `touches` are those of `eligible`, for the same moment and window (days).
    """
    return [(touch, share) for touch, share in _MODELS[model](touches, at, window) if share]


def _last_tiktok(touches: Sequence[TouchPoint], at: int, window: int) -> list[Share]:
    """The last paid touch, as TikTok counts: visits from elsewhere after it take nothing away."""
    return [(touch, Fraction(1)) for touch in touches if touch.traffic == PAID][-1:]


def _last_touch(touches: Sequence[TouchPoint], at: int, window: int) -> list[Share]:
    return [(touch, Fraction(1)) for touch in touches[-1:]]


def _first_touch(touches: Sequence[TouchPoint], at: int, window: int) -> list[Share]:
    return [(touch, Fraction(1)) for touch in touches[:1]]


def _linear(touches: Sequence[TouchPoint], at: int, window: int) -> list[Share]:
    return [(touch, Fraction(1, len(touches))) for touch in touches]


def _position(touches: Sequence[TouchPoint], at: int, window: int) -> list[Share]:
    """40 % for the first and the last touch, 20 % for those between them; two touches get 50 % each."""
    between = len(touches) - 2
    if between < 1:
        return _linear(touches, at, window)
    ends, inner = Fraction(2, 5), Fraction(1, 5 * between)
    return [(touch, ends if number in (0, between + 1) else inner) for number, touch in enumerate(touches)]


# A context of its own: every machine and thread computes the same 40 digits.
_DIGITS = Context(prec=40)


def _time_decay(touches: Sequence[TouchPoint], at: int, window: int) -> list[Share]:
    """2 ^ (-age / h), where h is a quarter of the window, and one day at least."""
    decay_seconds = max(Fraction(window * DAY_SECONDS, 4), Fraction(DAY_SECONDS))
    weights = []
    for touch in touches:
        exponent = Fraction(touch.at - at) / decay_seconds
        power = _DIGITS.divide(Decimal(exponent.numerator), Decimal(exponent.denominator))
        weights.append(Fraction(_DIGITS.power(Decimal(2), power)))
    total = sum(weights)
    return [(touch, weight / total) for touch, weight in zip(touches, weights, strict=True)]


_MODELS: Mapping[str, Callable[[Sequence[TouchPoint], int, int], list[Share]]] = MappingProxyType(
    {
        LAST_TIKTOK: _last_tiktok,
        LAST_TOUCH: _last_touch,
        FIRST_TOUCH: _first_touch,
        LINEAR: _linear,
        POSITION: _position,
        TIME_DECAY: _time_decay,
    }
)


def split(amount: Decimal, parts: Sequence[Fraction], *, digits: int) -> list[Decimal]:
    """Divide an amount by shares that sum to 1, in steps of `digits` decimals. The parts sum to the amount exactly.

    Each part is rounded down; the steps that remain go to the largest remainders, in a tie to the later part. An amount
    that has more decimals than `digits` is divided in steps of its own last decimal.
    """
    if not parts:
        return []
    exponent = amount.normalize(_DIGITS).as_tuple().exponent  # a column of the database adds zeros: 100.000000
    digits = max(digits, -exponent if isinstance(exponent, int) else 0)
    whole = int(amount.scaleb(digits, _DIGITS))
    # In whole numbers over one denominator: a day of a busy shop divides some hundred thousand amounts.
    base = math.lcm(*(part.denominator for part in parts))
    exact = [divmod(whole * part.numerator * (base // part.denominator), base) for part in parts]
    steps = [step for step, _ in exact]
    missing = whole - sum(steps)
    if missing:
        by_remainder = sorted(range(len(parts)), key=lambda number: (exact[number][1], number), reverse=True)
        for number in by_remainder[:missing]:
            steps[number] += 1
    return [Decimal(step).scaleb(-digits, _DIGITS) for step in steps]


CREDIT_DIGITS = 9
"""Decimals of a stored credit. A third is stored as 0.333333333, and one of three as 0.333333334."""


def stored_credits(parts: Sequence[Fraction], *, of: int = 1) -> list[Decimal]:
    """Return shares as decimals that sum to `of` exactly: 1 conversion, or 0 for one that was reversed."""
    return split(Decimal(of), parts, digits=CREDIT_DIGITS)


def net_value(value: Decimal | None, refunded: Decimal, *, is_reversed: bool) -> Decimal:
    """Return what remains of a conversion's value: less the refund, 0 where it was reversed, never below 0."""
    if value is None or is_reversed:
        return Decimal(0)
    return max(value - refunded, Decimal(0))
