"""Delivery over time as a picture: stacked bars whose geometry stands in attributes, so no policy blocks a style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

HEIGHT = 100
WIDTH = 10
GAP = 2


class Step(NamedTuple):
    """What was recorded in one step of time, by what became of it."""

    title: str
    delivered: int
    failed: int
    open: int


class Bar(NamedTuple):
    """A rectangle in units of the view box."""

    kind: str
    x: int
    y: str
    height: str


class Chart(NamedTuple):
    """Bars, the view box's width, and the number that its height stands for."""

    bars: list[Bar]
    width: int
    most: int
    steps: Sequence[Step]


def chart(steps: Sequence[Step]) -> Chart:
    """Delivered at the bottom, then trouble, then what is open."""
    most = max((step.delivered + step.failed + step.open for step in steps), default=0)
    bars: list[Bar] = []
    for place, step in enumerate(steps):
        top = float(HEIGHT)
        for kind in ("delivered", "failed", "open"):
            height = HEIGHT * getattr(step, kind) / most if most else 0.0
            if height:
                top -= height
                # As text: a template would write a float in the language's own form.
                bars.append(Bar(kind, place * WIDTH + GAP // 2, f"{top:.2f}", f"{height:.2f}"))
    return Chart(bars, max(len(steps), 1) * WIDTH, most, steps)
