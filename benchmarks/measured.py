"""What a measure found, and how it stands to its goal."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.goals import Better, Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Medians in the goal's unit, and the ratio of each round.

    `must_also` and `aim_also` are conditions beside the figure; `aim` is there where the goal leaves it to the run.
    """

    ours: float
    yardstick: float
    ratios: list[float]
    note: str = ""
    must_also: bool = True
    aim_also: bool = True
    aim: float | None = None

    @classmethod
    def of_rounds(cls, ours: list[float], yardstick: list[float], **more: Any) -> Measured:
        """From the same number of rounds of both, the n-th of each beside the other."""
        ratios = [mine / other for mine, other in zip(ours, yardstick, strict=True)]
        return cls(ours=median(ours), yardstick=median(yardstick), ratios=ratios, **more)


def verdict(goal: Goal, found: Measured) -> dict[str, Any]:
    """One entry of `--json`."""
    aim = goal.aim if found.aim is None else found.aim
    if aim is None:
        raise ValueError(f"{goal.id} has no aim")
    ratio = median(found.ratios)
    figure = ratio if goal.by_ratio else found.ours
    return {
        "id": goal.id,
        "what": goal.what,
        "unit": goal.unit,
        "ours": _short(found.ours),
        "yardstick": _short(found.yardstick),
        "ratio": _short(ratio),
        "ratio_least": _short(min(found.ratios)),
        "ratio_most": _short(max(found.ratios)),
        "rounds": len(found.ratios),
        "judged_by": "ratio" if goal.by_ratio else "ours",
        "better": "more" if goal.better is Better.MORE else "less",
        "must": goal.must,
        "aim": _short(aim),
        "must_met": goal.better.reached(figure, goal.must) and found.must_also,
        "aim_met": goal.better.reached(figure, aim) and found.must_also and found.aim_also,
        "note": found.note,
    }


def failed(goal: Goal, error: BaseException) -> dict[str, Any]:
    """The entry of a goal that could not be measured: nothing met, and why."""
    empty = dict.fromkeys(("ours", "yardstick", "ratio", "ratio_least", "ratio_most"))
    return {
        "id": goal.id,
        "what": goal.what,
        "unit": goal.unit,
        **empty,
        "rounds": 0,
        "judged_by": "ratio" if goal.by_ratio else "ours",
        "better": "more" if goal.better is Better.MORE else "less",
        "must": goal.must,
        "aim": goal.aim,
        "must_met": False,
        "aim_met": False,
        "note": f"not measured: {type(error).__name__}: {error}",
    }


def _short(figure: float) -> float:
    return float(f"{figure:.4g}")
