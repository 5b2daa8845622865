"""What the documents promise is there: each threat's test exists, and each setting they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiktok_attribution.conf import OPTIONS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
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


def anchors_of(path: Path) -> set[str]:
    """As the usual viewers make them of headings: lower case, spaces as "-", without other signs."""
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        if not path.is_file() or (anchor and anchor not in anchors_of(path)):
            broken.append(target)
    assert broken == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    found, new = set[Path](), {ROOT / "README.md"}
    while new:
        found |= new
        named = {
            (document.parent / target).resolve()
            for document in new
            for target in re.findall(r"\]\((?!https?:)([^)#\s]+\.md)", document.read_text(encoding="utf-8"))
        }
        new = named - found
    assert [str(path.relative_to(ROOT)) for path in DOCUMENTS if path not in found] == []


def test_each_decision_stands_at_the_code_that_the_architecture_names() -> None:
    index = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (\d+) \| .+ \| (.+) \|$", index.partition("## Decisions")[2])
    told = re.findall(r"(?m)^(\d+)\. \*\*", (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8"))
    assert [number for number, _ in rows] == told
    files = {
        ROOT / "tiktok_attribution" / name for _, places in rows for name in re.findall(r"`([\w/]+\.\w+)`", places)
    }
    assert len(files) > 30
    assert [str(path) for path in sorted(files) if "ecision:" not in path.read_text(encoding="utf-8")] == []
