"""What the documents promise is there: each threat's test exists, and each setting they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiktok_attribution.conf import OPTIONS

ROOT = Path(__file__).parents[1]
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))


@pytest.mark.privacy
@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_threat_has_its_test(path: str, name: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^ *(async )?def {name or 'test_'}", source, re.MULTILINE)


def test_every_threat_names_a_test() -> None:
    rows = [
        line for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    assert len(rows) - 1 == len(NAMED) - 1  # a heading; and this file, named above the table


@pytest.mark.parametrize("document", ["privacy.md", "security.md"])
def test_every_setting_that_is_named_exists(document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z_]+)(?::? [^`]+)?`", text)) - {"TIKTOK_ATTRIBUTION", "DEBUG"}
    assert named <= set(OPTIONS)
