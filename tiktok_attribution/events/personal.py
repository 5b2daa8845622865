"""The mark on functions that hold plain personal data."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def personal(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Have Django's error reports star out every local of this function and of what it calls.

    The same mark as `django.views.decorators.debug.sensitive_variables()`, which this floor may not import.
    """

    # Django recognises the mark by the names of this wrapper, its attribute and its two arguments.
    @wraps(function)
    def sensitive_variables_wrapper(*func_args: _Arguments.args, **func_kwargs: _Arguments.kwargs) -> _Result:
        sensitive_variables_wrapper.sensitive_variables = "__ALL__"  # type: ignore[attr-defined]
        return function(*func_args, **func_kwargs)

    return sensitive_variables_wrapper
