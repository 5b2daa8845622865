"""One word a thing: the words of docs/glossary.md, and none of those that they replaced."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from tiktok_attribution import conf
from tiktok_attribution.models import State

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tiktok_attribution"
RETIRED = {
    *("half", "halves", "showing", "showings", "fact", "facts", "dropped", "held", "notice", "notices"),
    *("trouble", "troubles", "mistake", "mistakes", "misread", "unusable", "finding", "findings"),
    *("hint", "announce", "announcer", "marks", "drain", "means", "steer", "steered", "steering", "why"),
    *("stretch", "stretches", "tally", "tallies", "housekeeping", "mend", "whoever", "kinds"),
}
"""Whole words. "kind", "path", "run", "round" and "found" are retired in one meaning each and stay words of Python."""
DJANGOS = {"hint", "hints", "ROUND_HALF_UP"}
"""`hint=` of a check and `**hints` of a router are Django's own."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def retired_in(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)} & RETIRED if name not in DJANGOS else set()


def identifiers(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.rpartition(".")[2]


def test_no_identifier_of_the_package_has_a_retired_word() -> None:
    named = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in PACKAGE.rglob("*.py")
        for name in identifiers(path.read_text(encoding="utf-8"))
        if retired_in(name)
    }
    assert named == set()


def test_no_file_of_the_package_has_one() -> None:
    paths = [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts]
    assert [path for path in paths if retired_in(path)] == []


def test_no_setting_state_permission_or_table_has_one() -> None:
    models = list(apps.get_app_config("tiktok_attribution").get_models())
    names = [
        *conf.Settings.__dataclass_fields__,
        *State.values,
        *(codename for model in models for codename, _text in model._meta.permissions),
        *(field.name for model in models for field in model._meta.get_fields()),
        *(model._meta.db_table for model in models),
        *(index.name for model in models for index in (*model._meta.indexes, *model._meta.constraints)),
    ]
    assert [name for name in names if retired_in(name)] == []


def test_no_metric_cookie_class_or_task_has_one() -> None:
    quoted = re.compile(r"""["'](tiktok[a-z_.-]+)["']""")
    sources = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.css")]
    found = {name for path in sources for name in quoted.findall(path.read_text(encoding="utf-8"))}
    assert len(found) > 20
    assert [name for name in sorted(found) if retired_in(name)] == []


def test_the_glossary_names_every_retired_word() -> None:
    told = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    assert [word for word in sorted(RETIRED) if not re.search(rf"\b{word}\b", told)] == []


@pytest.mark.parametrize("name", ["HALVES", "is_held", "NoticeKind", "browser_half", "why_not", "mend"])
def test_a_planted_one_is_seen(name: str) -> None:
    assert retired_in(name)


@pytest.mark.parametrize("name", ["hint", "ROUND_HALF_UP", "threshold", "artifact", "reminder", "withheld"])
def test_what_only_holds_the_letters_is_none(name: str) -> None:
    assert not retired_in(name)
