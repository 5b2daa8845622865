"""Field paths: "customer.email" as people write it in the settings, read from an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.exceptions import InvalidEvent


def steps_of(path: str) -> list[str]:
    """The attributes that a path goes through."""
    return path.replace("__", ".").split(".")


@errors_without_values
def resolve(obj: object, path: str) -> Any:
    """Follow attributes, dict keys and calls without arguments. An empty relation gives None.

    Raises InvalidEvent naming the step that is not there; never the value.
    """
    value: Any = obj
    for step in steps_of(path):
        if value is None:
            return None
        try:
            value = _step(value, step)
        except ObjectDoesNotExist:
            return None
        except _NotThere:
            raise InvalidEvent(f"{type(value).__name__} has no {step!r} (of the path {path!r}).") from None
    return value


class _NotThere(Exception):
    """No attribute or key of this name; not what a property of this name may raise."""


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        if step not in value:
            raise _NotThere
        found = value[step]
    else:
        try:
            found = getattr(value, step)
        except AttributeError:
            if hasattr(type(value), step):
                raise
            raise _NotThere from None
    if not callable(found) or hasattr(found, "all"):
        return found
    if getattr(found, "alters_data", False):
        raise InvalidEvent(f"{step!r} changes data, and a path only reads.")
    return found()


def read(obj: object, path: Any) -> Any:
    """What a declaration names: a field path, a callable of the object, or {"constant": value}."""
    if isinstance(path, str):
        return resolve(obj, path)
    if callable(path):
        return path(obj)
    if not isinstance(path, Mapping):
        raise InvalidEvent(f"a path is text, a callable or a dict with 'constant', not {type(path).__name__}.")
    if "constant" not in path:
        raise InvalidEvent('a dict in place of a path is {"constant": value}.')
    return path["constant"]
