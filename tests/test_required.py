from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-p", "tests.required", "-p", "no:django", "-p", "no:cacheprovider"]
SKIPPED = """
import pytest

@pytest.mark.skip(reason="no such engine")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail(): assert False
"""


@pytest.mark.parametrize(("required", "outcome"), [("1", "1 xfailed, 1 error"), ("", "1 skipped, 1 xfailed")])
def test_a_skip_fails_only_where_all_is_required(required: str, outcome: str, tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(SKIPPED)

    told = subprocess.run(
        [*PYTEST, "--rootdir", str(tmp_path), "-c", os.devnull, str(tmp_path)],
        env=os.environ | {"REQUIRE_ALL": required, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout

    assert outcome in told.splitlines()[-1]
