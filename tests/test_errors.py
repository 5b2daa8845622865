"""Errors that leave without the values of their frames, and text that doesn't show itself."""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import tiktok_attribution
from tiktok_attribution import errors
from tiktok_attribution.errors import HiddenText, errors_without_values

ROOT = Path(tiktok_attribution.__file__).parents[1]

REPORT = """
import sys
from django.conf import settings
settings.configure(DEBUG=False)
from django.views.debug import SafeExceptionReporterFilter
from tiktok_attribution.events import hashing

def explode(text):
    raise RuntimeError

hashing.plain = explode
try:
    hashing.phone_sha256("+12133734253", region="US")
except RuntimeError:
    frame = sys.exc_info()[2].tb_next
while frame:
    print(dict(SafeExceptionReporterFilter().get_traceback_frame_variables(None, frame.tb_frame)))
    frame = frame.tb_next
"""


@pytest.mark.privacy
def test_djangos_error_report_finds_nothing_in_any_frame_that_held_a_phone_number() -> None:
    pytest.importorskip("django")
    report = subprocess.run(
        [sys.executable, "-c", REPORT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "2133734253" not in report
    of_the_door, *below = report.splitlines()
    assert of_the_door.startswith("{'function': <function phone_sha256")
    assert len(below) >= 3
    assert set(below) == {"{}"}


def fall(secret: str, *, error: BaseException | None = None) -> None:
    kept = secret
    if kept:
        raise error or ValueError("words")


@errors_without_values
def door(secret: str, **options: Any) -> None:
    """A door."""
    try:
        fall(secret)
    except ValueError as cause:
        if options.get("chained"):
            raise LookupError("chained") from cause
        if options.get("within"):
            raise KeyError("within")  # noqa: B904 -- the case
        fall(secret, **options)


def frames_of(trace: TracebackType | None) -> list[tuple[str, int, dict[str, Any]]]:
    return [(frame.f_code.co_name, line, dict(frame.f_locals)) for frame, line in traceback.walk_tb(trace)]


def raised(**options: Any) -> BaseException:
    try:
        door("secret", **options)
    except BaseException as error:  # noqa: BLE001 -- any
        return error
    raise AssertionError


@pytest.mark.parametrize("options", [{}, {"chained": True}, {"within": True}, {"error": SystemExit(3)}])
def test_every_frame_keeps_its_place_and_loses_its_values(options: dict[str, Any]) -> None:
    error: BaseException | None = raised(**options)
    seen = 0
    while error is not None:
        for name, line, values in frames_of(error.__traceback__):
            if name not in {"raised", "without_values"}:
                assert values == {}
                assert line > 0
                seen += 1
        error = error.__cause__ or error.__context__
    assert seen >= 2


def test_a_traceback_reads_as_before() -> None:
    text = "".join(traceback.format_exception(raised()))
    assert 'raise error or ValueError("words")' in text
    assert ", in fall" in text
    assert ", in door" in text


def test_a_frame_without_values_is_at_an_instruction_without_columns() -> None:
    """Else a traceback would underline a part of the line, and the wrong one. Python 3.10 knows no columns."""
    positions = list(getattr(errors._PLACE, "co_positions", list)())
    at = positions[errors._POSITION // 2 :][:1]
    assert [place[2:] for place in at if place[2:] != (None, None)] == []


def test_the_error_is_the_same_object_with_its_own_words() -> None:
    mine = OSError(5, "words")
    assert raised(error=mine) is mine
    assert mine.args == (5, "words")


def test_the_door_keeps_the_functions_name_and_result() -> None:
    assert errors_without_values(len)("four") == 4
    assert (door.__name__, door.__doc__) == ("door", "A door.")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups before Python 3.11")
def test_an_error_group_is_emptied_too() -> None:
    @errors_without_values
    def several() -> None:
        try:
            fall("secret")
        except ValueError as one:
            raise ExceptionGroup("several", [one])  # noqa: B904, F821 -- younger than Python 3.10

    try:
        several()
    except Exception as group:  # noqa: BLE001 -- as above
        (inner,) = group.exceptions  # type: ignore[attr-defined]
    assert [values for _, _, values in frames_of(inner.__traceback__)] == [{}, {}]


class Told(Exception):
    """Not a group, though it has an attribute of that name."""

    def __init__(self, exceptions: object) -> None:
        super().__init__("words")
        self.exceptions = exceptions


@pytest.mark.parametrize("held", [None, 3, "words", ["words"], {"field": "words"}, len], ids=str)
def test_an_error_that_only_looks_like_a_group_leaves_as_it_is(held: object) -> None:
    mine = Told(held)
    assert raised(error=mine) is mine


def test_a_cycle_of_causes_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert raised(error=one) is one


def test_hidden_text_is_text_and_shows_stars() -> None:
    token = HiddenText("a-token")
    assert (token, f"{token}", len(token)) == ("a-token", "a-token", 7)
    assert "a-token" not in f"{token!r} {[token]} { ({'key': token}) }"
    assert pickle.loads(pickle.dumps(token)) == token  # noqa: S301 -- our own
