"""Field paths: "customer.email" as people write it in the settings, read from an object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from tiktok_attribution.exceptions import InvalidEvent


def resolve(obj: object, path: str) -> Any:
    """Follow attributes, dict keys and calls without arguments. An empty relation gives None.

    Raises InvalidEvent naming the step that is not there; never the value.
    """
    value: Any = obj
    for step in path.replace("__", ".").split("."):
        if value is None:
            return None
        try:
            value = value[step] if isinstance(value, Mapping) else getattr(value, step)
        except ObjectDoesNotExist:
            return None
        except (AttributeError, KeyError):
            raise InvalidEvent(f"{type(value).__name__} has no {step!r} (of the path {path!r}).") from None
        if callable(value) and not hasattr(value, "all"):
            value = value()
    return value


def each(obj: object, path: str) -> Iterable[Any]:
    """The items that a path leads to: a related manager, a queryset or any iterable."""
    items = resolve(obj, path)
    if items is None:
        return ()
    if hasattr(items, "all"):
        items = items.all()
    return items  # type: ignore[no-any-return]
