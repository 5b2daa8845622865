"""Every regular expression of a package's rooms, found by the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("events", "consent", "visitor", "touches", "browser", "conversions")
USING = {"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
MATCHERS = {"PhoneNumberMatcher"}  # of libraries, which look for patterns of their own


def patterns(root: Path) -> Iterator[str]:
    """ "events.sanitize:_EMAIL" for one of a module, "events.sanitize:PhoneSearch._end()" for what a function uses."""
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            for name in _of_module(ast.parse(path.read_text(encoding="utf-8"))):
                yield f"{module}:{name}"


def _of_module(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(map(_makes_or_uses, ast.walk(statement))):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
        else:
            yield from sorted(set(_of_functions(statement, "")))


def _of_functions(node: ast.AST, inside: str) -> Iterator[str]:
    name = f"{inside}.{node.name}" if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else inside
    if _makes_or_uses(node):
        yield f"{name.strip('.')}()"
    for child in ast.iter_child_nodes(node):
        yield from _of_functions(child, name)


def _makes_or_uses(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        of_re = isinstance(called.value, ast.Name) and called.value.id == "re"
        return called.attr in MATCHERS or (of_re and called.attr in USING | {"compile"})
    return isinstance(called, ast.Name) and called.id in MATCHERS
