"""The static file tiktok.js: its own tests run in node, and it keeps what it promises of size and language.

Linted by oxlint, which has the rules of eslint and comes as a wheel: no node_modules.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tiktok_attribution" / "static" / "tiktok_attribution" / "tiktok.js"
# Younger than ES2019, or nothing for a file that must not be heard of, nor run what it reads.
FORBIDDEN = [
    r"\?\.[a-z[(]",
    r"\?\?",
    r"\bconsole\b",
    r"\beval\b",
    r"\bFunction\b",
    r"innerHTML",
    r"\bimport\b",
    r"\bawait\b",
]


def test_its_own_tests_pass() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("not on this machine: apt-get install nodejs")
    done = subprocess.run(
        [node, "--test", str(ROOT / "tests" / "js")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_no_script_has_what_a_linter_would_not_let_pass() -> None:
    linter = Path(sys.executable).with_name("oxlint")
    folders = ("tiktok_attribution", "example_project", "tests/js")
    done = subprocess.run(
        [linter, "--deny-warnings", *folders], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_it_is_small() -> None:
    assert len(gzip.compress(FILE.read_bytes(), 9)) < 5000


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_it_keeps_to_its_language(pattern: str) -> None:
    assert re.findall(pattern, FILE.read_text(encoding="utf-8")) == []
