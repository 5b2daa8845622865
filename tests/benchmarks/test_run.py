"""`benchmarks/run.py --json` on stubbed measures: the form that others read, and what a measure that fails becomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks import run
from benchmarks.goals import GOALS
from benchmarks.measured import Measured

KEYS = {"id", "ours", "yardstick", "ratio", "must", "aim", "must_met", "aim_met"}
Measure = Callable[[Any], Measured]


@contextmanager
def no_servers() -> Iterator[None]:
    yield None


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Measure], None]:
    """Puts one function in the place of every measure."""

    def put(measure: Measure) -> None:
        monkeypatch.setattr(run, "running_servers", no_servers)
        monkeypatch.setattr("django.utils.module_loading.import_string", lambda path: measure)

    return put


def fine(setup: Any) -> Measured:
    return Measured(ours=2.0, yardstick=1.0, ratios=[1.9, 2.0, 2.2], aim=1.0)


def broken(setup: Any) -> Measured:
    raise ValueError("no such table")


def test_every_goal_is_one_entry_with_the_keys_that_others_read(
    stubbed: Callable[[Measure], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubbed(fine)
    code = run.main(["--quick", "--json"])
    entries = json.loads(capsys.readouterr().out)

    assert code == 0
    assert [entry["id"] for entry in entries] == [
        *(f"P{number}" for number in range(1, 6)),
        *("P5A", "P5B", "P5C"),
        *(f"P{number}" for number in range(6, 14)),
        *("P15", "P17"),
    ]
    assert all(entry.keys() >= KEYS for entry in entries)


def test_the_figures_are_numbers_and_the_verdicts_true_or_false(
    stubbed: Callable[[Measure], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubbed(fine)
    run.main(["--json", "--only", "P1"])
    (entry,) = json.loads(capsys.readouterr().out)

    assert (entry["ours"], entry["yardstick"], entry["ratio"]) == (2.0, 1.0, 2.0)
    assert (entry["must_met"], entry["rounds"]) == (True, 3)


def test_a_measure_that_fails_has_met_nothing_and_keeps_no_other_from_being_measured(
    stubbed: Callable[[Measure], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stubbed(broken)
    code = run.main(["--json"])
    entries = json.loads(capsys.readouterr().out)

    assert code == 1
    assert len(entries) == len(GOALS)
    assert not any(entry["must_met"] or entry["aim_met"] for entry in entries)
    assert entries[0]["note"] == "not measured: ValueError: no such table"


def test_a_goal_that_there_is_not_is_named() -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["--only", "P99"])

    assert ended.value.code == 2
