"""`python benchmarks/run.py [--quick] [--json] [--only P1,P5]`: each goal beside its yardstick, in one run."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

# The directory of a script comes first on the path; here it is the one above, or `benchmarks` could not be imported.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.goals import GOALS, Goal  # noqa: E402
from benchmarks.measured import failed, verdict  # noqa: E402
from benchmarks.servers import running_servers  # noqa: E402
from benchmarks.setup import FULL, QUICK, Setup  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a goal could not be measured, 2 for a goal that there isn't."""
    options = _options(arguments)
    with running_servers() as sink:
        setup = Setup(sink=sink, scale=QUICK if options.quick else FULL)
        results = []
        for goal in options.only:
            results.append(_measured(goal, setup))
            if not options.json:
                _say(_line(results[-1]))
    if options.json:
        _say(json.dumps(results, indent=1, ensure_ascii=False))
    return 0 if all(result["rounds"] for result in results) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds: under two minutes in all")
    parser.add_argument("--json", action="store_true", help="a list of results, nothing else")
    parser.add_argument("--only", type=_goals, default=GOALS, metavar="P1,P5", help="these goals alone")
    return parser.parse_args(arguments)


def _goals(text: str) -> list[Goal]:
    wanted = {name.strip().upper() for name in text.split(",")}
    if unknown := wanted - {goal.id for goal in GOALS}:
        raise argparse.ArgumentTypeError(f"no goal is called {', '.join(sorted(unknown))}")
    return [goal for goal in GOALS if goal.id in wanted]


def _measured(goal: Goal, setup: Setup) -> dict[str, Any]:
    from django.utils.module_loading import import_string  # noqa: PLC0415 -- measures need Django set up

    started = time.monotonic()
    try:
        with _limit(setup.scale.limit_seconds):
            result = verdict(goal, import_string(goal.measure)(setup))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the other goals are measured
        result = failed(goal, error)
    return result | {"took_seconds": round(time.monotonic() - started, 1)}


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {seconds} s")

    previous = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _line(result: dict[str, Any]) -> str:
    sign = "≥" if result["better"] == "more" else "≤"
    goals = f"must {sign} {result['must']:g} {_met(result['must_met'])}"
    if result["aim"] is not None:
        goals += f"  aim {sign} {result['aim']:g} {_met(result['aim_met'])}"
    if not result["rounds"]:
        return f"{result['id']:<4}{result['what']}\n      {goals}\n      {result['note']}"
    ours, yardstick = f"{result['ours']:,g}", f"{result['yardstick']:,g}"
    figures = f"ours {ours} {result['unit']}, yardstick {yardstick}, ratio {result['ratio']:g}"
    between = f"({result['ratio_least']:g} to {result['ratio_most']:g} in {result['rounds']} rounds)"
    note = f"\n      {result['note']}" if result["note"] else ""
    return f"{result['id']:<4}{result['what']}\n      {figures} {between}\n      {goals}{note}"


def _met(met: bool) -> str:
    return "met" if met else "NOT MET"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
