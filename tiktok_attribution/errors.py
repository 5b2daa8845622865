"""Remove the values of frames from errors that leave this app, and hide text from `repr`.

`errors_without_values` decorates each function that is a door between the site and this app. `HiddenText` is for the
token and personal data.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class HiddenText(str):
    """Text whose `repr` shows stars: for the token and for data that identifies a person. `str()` shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"


# Decision: errors keep their places and lose their values. Error trackers read the locals of every frame of a
# traceback, other libraries' frames too: sentry-sdk by default, Django's page with DEBUG. `sensitive_variables` helps
# only with Django's own report, and its wrapper itself holds the arguments. A hidden `repr` is lost where http.client
# turns headers into bytes. A traceback that is cut would hide the place. So each door passes errors on with the same
# places, type and words, in empty frames. A debugger finds no locals there either. A call costs the wrapper (0.1 µs).
def errors_without_values(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Remove all values from the traceback of every error that leaves this function; every place stays named.

    For plain functions. An error that an async function or a generator raises later does not pass here.
    """

    @wraps(function)
    def without_values(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 -- raised again
            del args, kwargs  # this frame is in the traceback as well
            raise strip_values(error)  # noqa: B904 -- the same error, which keeps its causes

    return without_values


def strip_values(error: BaseException) -> BaseException:
    """Empty the frames of an error that the caller is handling, and of its causes. Its own words stay.

    An error that the site was handling when it called is left as it is: those frames are the site's.
    """
    callers = set(_frames_above(sys._getframe(1)))  # noqa: SLF001 -- documented
    stripped = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        trace = None if one is None else one.__traceback__
        is_the_sites = one is not error and trace is not None and trace.tb_frame in callers
        if one is None or id(one) in stripped or is_the_sites:
            continue
        stripped.add(id(one))
        one.__traceback__ = None  # first, because the rest may fail for lack of memory or by a signal
        # The caller's own frame is left out, because the caller raises the error again.
        one.__traceback__ = _bare(trace.tb_next if trace is not None and one is error else trace)
        waiting += [one.__cause__, one.__context__, *_grouped(one)]
    return error


def _grouped(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of an ExceptionGroup. Other errors may have an attribute of this name that holds anything."""
    found = getattr(error, "exceptions", ())
    if isinstance(found, (list, tuple)):
        yield from (one for one in found if isinstance(one, BaseException))


def _frames_above(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _bare(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback with the same places in new, empty frames."""
    traces = []
    while trace is not None:
        traces.append(trace)
        trace = trace.tb_next
    bare = None
    for one in reversed(traces):
        bare = TracebackType(bare, _frame_at(one), _POSITION, one.tb_lineno)
    return bare


def _place() -> CodeType:
    """Return code that returns its own frame, without columns: a traceback would underline them in others' lines."""
    tree = ast.parse("lambda: _getframe()", mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            node.col_offset = node.end_col_offset = -1
    made: Any = eval(compile(tree, __file__, "eval"))  # noqa: S307 -- the text above
    code: CodeType = made.__code__
    return code


_PLACE = _place()
_POSITION = 2  # the second instruction: the first is Python's own and has columns
_KEPT_GLOBALS = ("__name__", "__file__", "__loader__")  # reports find module and source by these


def _frame_at(trace: TracebackType) -> FrameType:
    """Return an empty frame of the same file, function and line; jinja2 makes its tracebacks in the same way."""
    frame = trace.tb_frame
    code = _PLACE.replace(
        co_filename=frame.f_code.co_filename,
        co_name=frame.f_code.co_name,
        co_firstlineno=trace.tb_lineno or frame.f_code.co_firstlineno,
    )
    kept = {name: frame.f_globals[name] for name in _KEPT_GLOBALS if name in frame.f_globals}
    made: FrameType = FunctionType(code, {**kept, "_getframe": sys._getframe})()  # noqa: SLF001
    return made
