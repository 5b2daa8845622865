"""What docs/maintaining.md names is there: files, tests, undocumented parts, and the new names but not the old ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

import tiktok_attribution
from tiktok_attribution import signals
from tiktok_attribution.conf import OPTIONS
from tiktok_attribution.models import State

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "tiktok_attribution"
TEXT = (TESTS.parent / "docs" / "maintaining.md").read_text(encoding="utf-8")
UNDOCUMENTED, _, RENAMED = TEXT.partition("## What was renamed")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))

DOCUMENTED = {
    "get_field",
    "get_fields",
    "label",
    "label_lower",
    "abstract",
    "app_label",
    "base_manager_name",
    "db_table",
}
DOCUMENTED |= {"permissions", "verbose_name", "verbose_name_plural"}
"""Of `_meta`: Django's model _meta API, and the options of a model's Meta."""


class Entry(NamedTuple):
    """An undocumented part: what it is, the files that use it, the tests that notice a change."""

    what: str
    files: list[str]
    tests: list[tuple[str, str]]


def entries() -> list[Entry]:
    found = []
    for text in re.split(r"^- ", UNDOCUMENTED, flags=re.MULTILINE)[1:]:
        what, _, places = text.partition("\n  - In: ")
        files, *tests = places.split("\n  - Test: ")
        named = [re.match(r"`([\w/]+\.py)::(\w+)`", one) for one in tests]
        found.append(Entry(what, re.findall(r"`([\w/.]+)`", files), [(one[1], one[2]) for one in named if one]))
    return found


def table(heading: str) -> list[tuple[str, str]]:
    """The rows below a heading, without the head of the table."""
    _, _, section = RENAMED.partition(f"### {heading}\n")
    rows = re.findall(r"^\| (.+) \| (.+) \|$", section.partition("\n### ")[0], re.MULTILINE)
    return [row for row in rows if row[0] != "Old"]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_entry_has_files_and_tests() -> None:
    assert len(entries()) > 50
    assert [entry.what for entry in entries() if not entry.files or not entry.tests] == []


@pytest.mark.parametrize("file", sorted({file for entry in entries() for file in entry.files}))
def test_each_file_exists(file: str) -> None:
    assert (PACKAGE / file).is_file()


@pytest.mark.parametrize(("file", "name"), sorted({test for entry in entries() for test in entry.tests}))
def test_each_test_exists(file: str, name: str) -> None:
    assert re.search(rf"^ *(async )?def {name}\(", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_a_private_name_stands_in_the_files_of_its_entry() -> None:
    missing = [
        (name, file)
        for entry in entries()
        for name in re.findall(r"\b_[a-z]\w*(?:\.\w+)?", " ".join(names(entry.what)))
        for file in entry.files
        if name.rpartition(".")[2] not in (PACKAGE / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_what_is_used_of_meta_is_documented_by_django_or_here() -> None:
    used = set(re.findall(r"\b_meta\.([a-z_]+)", SOURCES)) - DOCUMENTED
    assert {name for name in used if f"`_meta.{name}" not in UNDOCUMENTED} == set()


def test_settings_have_their_new_names() -> None:
    rows = [(old, new) for left, right in table("Settings") for old in names(left) for new in names(right)]
    assert len(rows) == 10
    assert [row for row in rows if row[0] in OPTIONS or row[1] not in OPTIONS] == []


def test_imports_signals_and_states_have_their_new_names() -> None:
    new = [name for _, right in table("Imports, signals and states") for name in names(right)]
    known = {*vars(signals), *State.values, "alert"}
    facade = {f"tiktok_attribution.{name}" for name in tiktok_attribution.__all__}
    assert [name for name in new if name not in known | facade] == []


def test_classes_have_their_new_names() -> None:
    classes = set(re.findall(r"^class (\w+)", SOURCES, re.MULTILINE))
    rows = [(names(left)[0], names(right)[0]) for left, right in table("Models and classes")]
    assert len(rows) > 15
    assert [row for row in rows if row[0] in classes or row[1] not in classes] == []


def test_modules_are_where_the_table_says() -> None:
    rows = [(old, new) for left, right in table("Modules") for old in names(left) for new in names(right)]
    assert len(rows) > 100
    assert [old for old, _ in rows if (PACKAGE / f"{old}.py").exists()] == []
    assert [new for _, new in rows if not (PACKAGE / f"{new}.py").is_file()] == []
