"""Bars of the charts that the server draws as SVG, in units of its view box.

The geometry is in attributes, because a Content-Security-Policy may block styles. A page shows the same figures as a
table beside the chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

HEIGHT = 100
WIDTH = 10
"""The width of one step of time, with the gap to the next."""
GAP = 2

Amount = int | float | Decimal
Amounts = Mapping[str, Amount]
"""The amounts of one step of time by the kind of bar, which is a class of the style sheet."""


class Bar(NamedTuple):
    """A rectangle. Its geometry is text, because a template would format a number in the language's own form."""

    kind: str
    x: str
    y: str
    width: str
    height: str


def width_of(steps: int) -> int:
    """Return the width of the view box for so many steps of time."""
    return max(steps, 1) * WIDTH


def stacked(steps: Sequence[Amounts], most: Amount) -> list[Bar]:
    """Return one bar for each step, made of its amounts from the bottom to the top. `most` fills the height."""
    bars = []
    for place, amounts in enumerate(steps):
        top = float(HEIGHT)
        for kind, height in _heights(amounts, most):
            top -= height
            bars.append(_bar(kind, place * WIDTH + GAP / 2, top, WIDTH - GAP, height))
    return bars


def side_by_side(steps: Sequence[Amounts], most: Amount) -> list[Bar]:
    """Return a bar for each amount of a step, beside one another. `most` fills the height."""
    bars = []
    for place, amounts in enumerate(steps):
        width = (WIDTH - GAP) / max(len(amounts), 1)
        for number, kind in enumerate(amounts):
            for _kind, height in _heights({kind: amounts[kind]}, most):
                bars.append(_bar(kind, place * WIDTH + GAP / 2 + number * width, HEIGHT - height, width, height))
    return bars


def scale_top(most: Decimal) -> Decimal:
    """Return the round number at the top of a scale that holds `most`: 1, 2, 2.5 or 5 with zeros behind, or before."""
    if most <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(most.adjusted())
    return next(step * power for step in map(Decimal, ("1", "2", "2.5", "5", "10")) if step * power >= most)


def _heights(amounts: Amounts, most: Amount) -> Iterator[tuple[str, float]]:
    for kind, amount in amounts.items():
        height = HEIGHT * float(amount) / float(most) if most else 0.0
        if height > 0:
            yield kind, height


def _bar(kind: str, x: float, y: float, width: float, height: float) -> Bar:
    return Bar(kind, f"{x:.2f}", f"{y:.2f}", f"{width:.2f}", f"{height:.2f}")
