"""The admin's pages under the theme of django-unfold, which has templates of its own for most of Django's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import chromium_program

ROOT = Path(__file__).parents[2]
DJANGOS_OWN = {"app", "event-history"}
"""The index and the history of an object have nothing of ours on them."""


def test_every_page_is_shown_with_the_theme_and_with_its_own_styles() -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.admin.under_unfold"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(child.stdout)

    assert len(found) > 15
    assert {name: told for name, told in found.items() if told != [200, True, name not in DJANGOS_OWN]} == {}


@pytest.mark.browser
def test_in_light_and_dark_on_screens_and_telephones() -> None:
    if chromium_program() is None:
        pytest.skip("not on this machine: apt-get install chromium")
    module = "tests/admin/unfold_in_chromium.py"
    child = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--ds=tests.unfold_settings", module],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert child.returncode == 0, child.stdout + child.stderr
