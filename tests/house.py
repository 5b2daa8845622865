"""Measure the shape of the package: its files, its public names, what one purchase runs, and the way to the POST.

`python -m tests.house` prints a table, over a test database of its own. With `--names` it also lists the functions.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import os
import sys
import threading
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from typing import Any, NamedTuple

PACKAGE = Path(__file__).parents[1] / "tiktok_attribution"
SMALL_LINES, LARGE_LINES = 45, 350
WAIT_SECONDS = 10
_LAYOUT = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
_PRAGMAS = ("# noqa", "# type:", "# pragma")


class Row(NamedTuple):
    """A line of the table."""

    measured: str
    value: str


# The text of the package -----------------------------------------------------------------------------------------


def files() -> list[Path]:
    """The Python files of the package, without migrations and without empty ones."""
    found = (path for path in PACKAGE.rglob("*.py") if "migrations" not in path.relative_to(PACKAGE).parts)
    return sorted(path for path in found if path.stat().st_size)


def public_names(tree: ast.Module) -> list[str]:
    """Functions, classes and constants at the top level of a module whose names have no underscore in front."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [one for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
            names += [one.id for one in parts if isinstance(one, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def comment_lines(source: str) -> tuple[int, int]:
    """Count the lines that hold a comment, and the lines that hold code. Docstrings are neither, pragmas are code."""
    comments: set[int] = set()
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if not token.string.startswith(_PRAGMAS):
                comments.add(token.start[0])
        elif token.type not in _LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            code.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(comments), len(code)


def shape() -> list[Row]:
    """What can be read from the files alone."""
    sources = [path.read_text(encoding="utf-8") for path in files()]
    lines = [len(source.splitlines()) for source in sources]
    counted = [comment_lines(source) for source in sources]
    comments, code = sum(one for one, _ in counted), sum(one for _, one in counted)
    names = sum(len(public_names(ast.parse(source))) for source in sources)
    return [
        Row("Python files, median lines", f"{len(lines)}, {median(lines):.0f}"),
        Row(f"modules of {SMALL_LINES} lines and less", str(sum(number <= SMALL_LINES for number in lines))),
        Row(f"files over {LARGE_LINES} lines", str(sum(number > LARGE_LINES for number in lines))),
        Row("public top-level names", str(names)),
        Row("comments per 100 lines of code", f"{100 * comments / code:.1f}"),
    ]


# What runs -------------------------------------------------------------------------------------------------------


def _named(code: CodeType) -> str:
    module = Path(code.co_filename).relative_to(PACKAGE).with_suffix("")
    return f"{'.'.join(module.parts)}:{getattr(code, 'co_qualname', code.co_name)}"


def _is_ours(code: CodeType) -> bool:
    """Whether it is a function of the package; a comprehension is a part of its function."""
    return code.co_filename.startswith(f"{PACKAGE}{os.sep}") and code.co_name[:1] != "<"


def _stack(frame: FrameType | None) -> list[str]:
    """Our functions on the way to this frame, the outermost first; what this file was called by does not count."""
    found = []
    while frame is not None and frame.f_code.co_filename != __file__:
        if _is_ours(frame.f_code):
            found.append(_named(frame.f_code))
        frame = frame.f_back
    return found[::-1]


@contextmanager
def _profiled(look: Callable[[FrameType], None]) -> Iterator[None]:
    """Show each Python call of this thread to `look`."""
    sys.setprofile(lambda frame, event, _argument: look(frame) if event == "call" else None)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextmanager
def _calls(counts: Counter[str]) -> Iterator[None]:
    """Count the calls of our functions. A generator counts once, however often it goes on."""
    generators: dict[int, FrameType] = {}  # the frames themselves too, for else their ids are used again

    def look(frame: FrameType) -> None:
        if not _is_ours(frame.f_code) or id(frame) in generators:
            return
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            generators[id(frame)] = frame
        counts[_named(frame.f_code)] += 1

    with _profiled(look):
        yield


@contextmanager
def _way_to(code: CodeType, found: list[str]) -> Iterator[None]:
    """Note our functions on the stack at the first call of this code."""

    def look(frame: FrameType) -> None:
        if frame.f_code is code and not found:
            found.extend(_stack(frame.f_back))

    with _profiled(look):
        yield


class Runs(NamedTuple):
    """What one purchase runs up to the commit, with the number of calls; and the functions from there to the POST."""

    purchase: Counter[str]
    spine: list[str]

    def rows(self) -> list[Row]:
        """As lines of the table."""
        modules = {name.partition(":")[0] for name in self.purchase}
        calls = sum(self.purchase.values())
        return [
            Row(
                "our functions that one purchase runs up to the commit",
                f"{len(self.purchase)} in {len(modules)} modules, {calls} calls",
            ),
            Row("functions from post_save to the POST", str(len(self.spine))),
        ]


def runs() -> Runs:
    """Place orders of a visitor, and deliver. Needs Django's test database, and commits to it."""
    _purchase("C0HOUSEFIRST", _nothing, _nothing)  # what is looked up once in a process
    counts: Counter[str] = Counter()
    _purchase("C0HOUSECALLS", lambda: _calls(counts), _nothing)
    return Runs(counts, _spine("C0HOUSESPINE"))


Watched = Callable[[], Any]


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _settings(pixel_code: str, **keys: Any) -> Any:
    from django.test import override_settings  # noqa: PLC0415 -- needs Django's settings

    from tests.conversions.samples import PURCHASE  # noqa: PLC0415 -- needs Django set up

    site = {"PIXEL_CODE": pixel_code, "ACCESS_TOKEN": "0" * 40, "SITE_URL": "https://shop.example"}
    conversions = {"shop.Order": {**PURCHASE, "user": {"email": "email"}}}
    return override_settings(TIKTOK_ATTRIBUTION={**site, "CONVERSIONS": conversions, **keys})


def _purchase(pixel_code: str, watched: Watched, committing: Watched, **keys: Any) -> None:
    """A visitor's request: an order with a line, then its payment in a transaction, which commits."""
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 -- needs Django set up
    from django.db import transaction  # noqa: PLC0415
    from django.http import HttpRequest, HttpResponse  # noqa: PLC0415
    from django.test import RequestFactory  # noqa: PLC0415

    from tests.conversions.samples import EMAIL, with_line  # noqa: PLC0415 -- needs Django set up
    from tests.shop.models import Order  # noqa: PLC0415
    from tiktok_attribution.middleware import AttributionMiddleware  # noqa: PLC0415

    def checkout(_request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            order = with_line(Order.objects.create(total="19.90", email=EMAIL))
        block = transaction.atomic()
        with committing(), block:
            order.status = "paid"
            with watched():
                order.save()
        return HttpResponse("Thank you", content_type="text/plain")

    with _settings(pixel_code, **keys):
        request = RequestFactory().post("/checkout/?ttclid=E.C.P.house", headers={"user-agent": "Mozilla/5.0 (X11)"})
        request.user = AnonymousUser()
        AttributionMiddleware(checkout)(request)


def _spine(pixel_code: str) -> list[str]:
    """Our functions down to the row's INSERT, from the commit to the waking thread, from there to the broker, and from
    the task to the POST. The POST goes to the stand-in.
    """
    from celery.signals import before_task_publish  # noqa: PLC0415 -- needs Django set up
    from django.db import connection  # noqa: PLC0415
    from requests import Session  # noqa: PLC0415

    from tiktok_attribution import tasks  # noqa: PLC0415
    from tiktok_attribution.testing.server import StandIn  # noqa: PLC0415

    inserted: list[str] = []
    woken: list[str] = []
    published: list[str] = []
    posted: list[str] = []
    is_published = threading.Event()

    def on_statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not inserted and "INSERT INTO" in sql and "outboxevent" in sql:
            inserted.extend(_stack(sys._getframe(1)))
        return execute(sql, params, many, context)

    def on_publish(**_sent: Any) -> None:
        if not published:
            published.extend(_stack(sys._getframe(1)))
        is_published.set()

    before_task_publish.connect(on_publish, sender=tasks.deliver.name)
    with StandIn() as standin:
        _purchase(
            pixel_code,
            lambda: connection.execute_wrapper(on_statement),
            lambda: _way_to(threading.Event.set.__code__, woken),
        )
        is_published.wait(WAIT_SECONDS)
        with _settings(pixel_code, API_URL=standin.api_url), _way_to(Session.send.__code__, posted):
            tasks.deliver(pixel_code)
    return [*inserted, *woken, *published, *posted]


def table(rows: list[Row]) -> str:
    """The rows, with their values below one another."""
    width = max(len(row.measured) for row in rows)
    return "\n".join(f"{row.measured:<{width}}  {row.value}" for row in rows)


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Makes a test database, and deletes it at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", action="store_true", help="list the functions that run, too")
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django  # noqa: PLC0415 -- after the environment is set

    django.setup()
    from django.test import utils  # noqa: PLC0415 -- needs Django set up

    from tests import worker  # noqa: F401, PLC0415 -- made the current Celery app, with its memory broker

    utils.setup_test_environment()
    databases = utils.setup_databases(verbosity=0, interactive=False)
    try:
        ran = runs()
    finally:
        utils.teardown_databases(databases, verbosity=0)
    lines = [table([*shape(), *ran.rows()])]
    if options.names:
        lines += ["", *(f"{calls:>4}  {name}" for name, calls in sorted(ran.purchase.items()))]
        lines += ["", *(f"{place:>4}  {name}" for place, name in enumerate(ran.spine, 1))]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
