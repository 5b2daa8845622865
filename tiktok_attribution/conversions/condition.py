"""Evaluate `when` of the settings form: a dict of paths and values, a callable, or the name of one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db.models import Field, Model, Q
from django.utils.module_loading import import_string

from tiktok_attribution.visitor.page import read, resolve

SEVERAL = (list, tuple, set, frozenset)


class Condition:
    """Test whether an object counts. Python decides. A database query can only narrow the search."""

    def __init__(self, model: type[Model], when: Any) -> None:
        """Compile `when`. Raises ImportError for a dotted name that can't be imported."""
        self._model = model
        self._wanted: Mapping[str, Any] = {}
        self._test: Callable[[Any], Any] | None = None
        if isinstance(when, Mapping):
            self._wanted = {path.replace("__", "."): value for path, value in when.items()}
        elif isinstance(when, str):
            self._test = import_string(when) if "." in when else lambda obj: resolve(obj, when)
        else:
            self._test = when

    def holds(self, obj: Any) -> bool:
        """Return whether the object counts now."""
        if self._test is not None:
            return bool(self._test(obj))
        for path, wanted in self._wanted.items():  # noqa: SIM110 -- all() would call a generator at every save
            if not _matches(read(obj, path), wanted):
                return False
        return True

    @property
    def is_always(self) -> bool:
        """True if there is no condition: an object counts once it is made."""
        return self._test is None and not self._wanted

    @property
    def paths(self) -> Iterable[str]:
        """The field paths that the condition reads."""
        return self._wanted.keys()

    def concerns(self, update_fields: Collection[str]) -> bool:
        """Return whether a save of only these fields can fulfil the condition."""
        columns = [column(self._model, path.partition(".")[0]) for path in self._wanted]
        if self._test is not None or None in columns:
            return True
        return any(field.name in update_fields or field.attname in update_fields for field in columns if field)

    def narrowed(self) -> Q:
        """Build a filter that keeps every object that counts, and maybe others: a property has no column."""
        found = Q()
        for path, wanted in self._wanted.items():
            lookup = _lookup(path.replace(".", "__"), wanted)
            try:
                self._model._base_manager.filter(lookup)
            except (FieldError, ValidationError, ValueError, TypeError):
                continue
            found &= lookup
        return found


def column(model: type[Model], name: str) -> Field[Any, Any] | None:
    """Return the model's own column of this name, None if there is none."""
    try:
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) and field.concrete and not field.many_to_many else None


def _matches(value: object, wanted: object) -> bool:
    if isinstance(wanted, SEVERAL):
        return any(_matches(value, one) for one in wanted)
    if isinstance(value, Model) and not isinstance(wanted, Model):
        value = value.pk
    return bool(value == wanted)


def _lookup(path: str, wanted: Any) -> Q:
    if not isinstance(wanted, SEVERAL):
        return Q((f"{path}__isnull", True)) if wanted is None else Q((path, wanted))
    found = Q((f"{path}__in", [one for one in wanted if one is not None]))
    return found | Q((f"{path}__isnull", True)) if None in wanted else found
