"""The admin's pages under the theme of django-unfold, which has templates of its own for most of Django's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DJANGOS_OWN = {"app", "event-history"}
"""The index and the history of an object have nothing of ours on them."""


def test_every_page_is_shown_with_the_theme_and_with_its_own_styles() -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.admin.under_unfold"],
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(child.stdout)

    assert len(found) > 15
    assert {name: told for name, told in found.items() if told != [200, True, name not in DJANGOS_OWN]} == {}
