"""docs/architecture.md walks three purchases through functions that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tiktok_attribution"
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("## Three purchases, step by step")[2].partition("\n## ")[0]
STEPS = re.findall(r"^\| .+ \| `([\w/.]+)`(?: `([\w.]+)`)? \|$", SECTION, re.MULTILINE)


def defined(path: Path) -> set[str]:
    """Functions of a module, and methods as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


def test_all_steps_are_read() -> None:
    rows = [line for line in SECTION.splitlines() if line.startswith("| ") and not line.startswith("| Step")]
    assert len(rows) == len(STEPS)
    assert len(STEPS) >= 25


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_each_step_exists(file: str, name: str) -> None:
    path = PACKAGE / file
    assert path.is_file()
    assert not name or name in defined(path)
