"""The architecture, kept: a module imports only from lower floors, and whoever does not is named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "tiktok_attribution"
SOURCE = Path(__file__).parents[1] / PACKAGE
# From the ground up. Rooms of one floor do not import each other.
HOUSE = [
    {"csp", "errors", "exceptions", "signals"},
    {"events", "consent"},
    {"setting_validation", "transactions"},
    {"attribution_settings"},
    {"conf"},
    {"failures", "http", "in_tests"},
    {"models"},
    {"migrations"},
    {"delivery", "marketing"},
    {"monitoring"},
    {"tasks"},
    {"visitor"},
    {"touches"},
    {"conversions"},
    {"attribution"},
    {"browser", "privacy"},
    {"doctor"},
    {"testing"},  # below the commands, for one of them runs the stand-in
    {"admin", "checks", "jinja2", "management", "metrics", "middleware", "templatetags", "urls"},
    {"apps"},
]
ADMIN = [
    {"explanations"},
    {"charts", "formatting"},
    {"base"},
    {"list_query"},
    {"attribution_query", "filters"},
    {"attribution_table", "conversion_query"},
    {"attribution_tiles"},
    {"action_run", "attribution_page", "event_list", "matching_keys", "mixins", "overview_page", "spend_page"},
    {
        "actions",
        "attempts",
        "attribution_report",
        "diagnosis",
        "event_page",
        "overview",
        "pixels",
        "spend_import",
        "vouchers",
    },
    {"conversion_list", "events", "jobs", "vouchers"},
    {"conversion_page"},
    {"conversions"},
    {"__init__"},  # by it Django's autodiscovery finds them all
]
LEVELS = {
    package: {room: level for level, rooms in enumerate(floors) for room in rooms}
    for package, floors in ((PACKAGE, HOUSE), (f"{PACKAGE}.admin", ADMIN))
}
ONLY_USER = {"requests": "http.py", "celery": "tasks.py"}
PURE = {"csp", "consent", "errors", "events", "exceptions"}
WITH_NAMES = {".", "events", "models", "admin"}  # the facade; value types; Django looks for models and admin there
Import = tuple[str, bool]  # dotted name, inside a function?


def breaches(root: Path) -> list[str]:
    """One line a breach, each beginning with the module that did it."""
    found: list[str] = []
    for path in sorted(root.rglob("*.py")):
        module = path.relative_to(root)
        if module.name == "__init__.py":
            found += _more_than_a_docstring(module, path)
        if module != Path("__init__.py"):
            for name, in_function in _imports(path, root):
                found += [f"{module} {wrong}" for wrong in _wrongs(module, name, in_function=in_function)]
    return found


def _wrongs(module: Path, name: str, *, in_function: bool) -> Iterator[str]:
    room, (top, *rest) = _room(module), name.split(".")
    if top in ONLY_USER and module.as_posix() != ONLY_USER[top]:
        yield f"imports {top}; only {ONLY_USER[top]} may"
    if top == "django" and room in PURE:
        yield "imports django; this floor is pure"
    if top != PACKAGE or not rest:
        return
    # AppConfig.ready is where Django says that models may be imported, and not before.
    if in_function and room != "apps":
        yield f"imports {name} inside a function"
    for package in LEVELS:
        yield from _not_lower(module, name, package)


def _not_lower(module: Path, name: str, package: str) -> Iterator[str]:
    """Of two rooms of this package, and of these alone."""
    importer, inside = ".".join((PACKAGE, *module.with_suffix("").parts)), f"{package}."
    if not (importer.startswith(inside) and name.startswith(inside)):
        return
    room, other = (dotted.removeprefix(inside).split(".")[0] for dotted in (importer, name))
    level = LEVELS[package]
    if room not in level:
        yield "has no floor: give it one in tests/test_floors.py"
    elif other != room and level.get(other, len(level)) >= level[room]:
        yield f"imports {name}, which is not on a lower floor"


def _imports(path: Path, root: Path) -> Iterator[Import]:
    package = (PACKAGE, *path.relative_to(root).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, node.module) if node.module else base)
            # `from package import room` names the room only in its second half.
            names = [f"{source}.{alias.name}" for alias in node.names] if source in LEVELS else [source]
            yield from ((name, node in inner) for name in names)


def _more_than_a_docstring(module: Path, path: Path) -> Iterator[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    docstring = body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    if (body[1:] if docstring else body) and module.parent.as_posix() not in WITH_NAMES:
        yield f"{module} holds more than a docstring"


def _room(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def test_every_module_imports_only_from_lower_floors() -> None:
    assert breaches(SOURCE) == []


@pytest.mark.parametrize(
    ("module", "text", "named"),
    [
        (
            "events/planted.py",
            "from ..conf import settings",
            f"imports {PACKAGE}.conf, which is not on a lower",
        ),
        ("delivery/planted.py", f"import {PACKAGE}.admin.events", "which is not on a lower floor"),
        ("conf.py", "from . import models", f"imports {PACKAGE}.models, which is not on a lower floor"),
        ("tasks.py", "def late():\n    from . import conf", f"imports {PACKAGE}.conf inside a function"),
        ("visitor/planted.py", "import requests.adapters", "imports requests; only http.py may"),
        ("conversions/planted.py", "from celery import shared_task", "imports celery; only tasks.py may"),
        ("events/planted.py", "import django.utils", "imports django; this floor is pure"),
        ("helpers.py", "from . import conf", "has no floor"),
        ("visitor/__init__.py", "from .click import Click", "holds more than a docstring"),
        (
            "admin/filters.py",
            "from . import actions",
            f"imports {PACKAGE}.admin.actions, which is not on a lower floor",
        ),
        ("admin/pixels.py", f"from {PACKAGE}.admin import attempts", f"imports {PACKAGE}.admin.attempts, which is not"),
        ("admin/helpers.py", "from . import base", "has no floor"),
        ("delivery/__init__.py", "from .lanes import Lease", "holds more than a docstring"),
    ],
)
def test_a_planted_breach_is_named(module: str, text: str, named: str, tmp_path: Path) -> None:
    planted = tmp_path / PACKAGE / module
    planted.parent.mkdir(parents=True)
    planted.write_text(f'"""Planted."""\n{text}\n')

    (breach,) = breaches(tmp_path / PACKAGE)

    assert breach.startswith(module)
    assert named in breach
