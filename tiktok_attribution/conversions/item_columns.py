"""Read the lines of an order as columns, by one statement whose text is kept, without making objects of them.

`rows_of` covers what nearly every declaration says: a reverse foreign key, and columns that are reached over foreign
keys. Whatever a site can change (a manager, a model's `from_db`, a field with an attribute of its own) is left to
`field_paths.items_of`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Manager, Model
from django.db.models.fields.related_descriptors import (
    ForeignKeyDeferredAttribute,
    ForwardManyToOneDescriptor,
    ForwardOneToOneDescriptor,
    ReverseManyToOneDescriptor,
)
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_init, pre_init

from tiktok_attribution.conversions.condition import column
from tiktok_attribution.visitor.page import steps_of

PLAIN_COLUMNS = (DeferredAttribute, ForeignKeyDeferredAttribute)
PLAIN_RELATIONS = (ForwardManyToOneDescriptor, ForwardOneToOneDescriptor)

_FROM_DB = inspect.getattr_static(Model, "from_db")

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Statement:
    """A SELECT of one object's items. Its only parameter is the value of `key` that their foreign key refers to."""

    text: str
    key: Field[Any, Any]
    models: tuple[type[Model], ...]  # of the tables that it reads
    converters: tuple[tuple[int, Convert], ...]  # by place

    def rows(self, obj: Model, using: str) -> list[tuple[Any, ...]]:
        """Return the columns of this object's items, as the ORM would convert them."""
        with connections[using].cursor() as cursor:
            cursor.execute(self.text, [_prepared(self.key, getattr(obj, self.key.attname), connections[using])])
            found: list[tuple[Any, ...]] = list(cursor.fetchall())
        return [self._converted(list(row)) for row in found] if self.converters else found

    def _converted(self, row: list[Any]) -> tuple[Any, ...]:
        for place, convert in self.converters:
            row[place] = convert(row[place])
        return tuple(row)


def rows_of(obj: Any, each: object, paths: Mapping[str, Any]) -> list[tuple[Any, ...]] | None:
    """Return for each item of `each` what `paths` read of it, in their order. None if the items must be asked."""
    if not isinstance(each, str) or not isinstance(obj, Model):
        return None
    plan = _plan(type(obj), each, tuple(paths.values())) if all(type(one) is str for one in paths.values()) else None
    if plan is None or plan.cache_name in getattr(obj, "_prefetched_objects_cache", ()):
        return None
    using = router.db_for_read(plan.items, instance=obj)
    statement = _statement(plan, using)
    if statement is None or any(router.db_for_read(model, instance=obj) != using for model in statement.models):
        return None
    return statement.rows(obj, using)


@dataclass(frozen=True)
class Plan:
    """What to select: the model of the items, their foreign key, and the lookup and column of each path."""

    items: type[Model]
    foreign_key: Any
    cache_name: str
    lookups: tuple[str, ...]
    columns: tuple[Field[Any, Any], ...]
    models: tuple[type[Model], ...]


@lru_cache(maxsize=256)
def _plan(model: type[Model], each: str, paths: tuple[str, ...]) -> Plan | None:
    """Return what to select. None if an item could show anything else than its columns as the ORM reads them."""
    reverse: Any = inspect.getattr_static(model, each, None)
    if type(reverse) is not ReverseManyToOneDescriptor:
        return None
    items: type[Model] = reverse.rel.related_model
    found = [_reached(items, path) for path in paths]
    known = [one for one in found if one is not None]
    if len(known) != len(found) or not known or not _has_plain_manager(items):
        return None
    models = dict.fromkeys([items, *(passed for _, _, through in known for passed in through)])
    if len(reverse.rel.field.foreign_related_fields) != 1 or not all(map(_is_plain, models)):
        return None
    return Plan(
        items=items,
        foreign_key=reverse.rel.field,
        cache_name=reverse.rel.cache_name,
        lookups=tuple(lookup for lookup, _, _ in known),
        columns=tuple(field for _, field, _ in known),
        models=tuple(models),
    )


# Decision: the ORM writes this statement once, and its text is kept. To compile it for each order costs 690 calls of
# Python functions, half of what an event adds to its checkout; making objects of the lines costs 30 more a line.
@lru_cache(maxsize=256)
def _statement(plan: Plan, using: str) -> Statement | None:
    connection, key = connections[using], plan.foreign_key.foreign_related_fields[0]
    sample = 1 if key.get_internal_type() != "UUIDField" else "00000000-0000-0000-0000-000000000001"
    try:
        rows = plan.items._default_manager.using(using).filter(**{plan.foreign_key.attname: sample})
        text, values = rows.values_list(*plan.lookups).query.get_compiler(using).as_sql()
        is_known = list(values) == [_prepared(key, sample, connection)]
    except (TypeError, ValueError, ValidationError):  # a key of a type that neither sample fits
        return None
    if not is_known:
        return None  # an ordering with values of its own, for instance
    converters = [
        (place, convert) for place, field in enumerate(plan.columns) for convert in _converters(field, connection)
    ]
    return Statement(text, key, plan.models, tuple(converters))


def _prepared(key: Field[Any, Any], value: Any, connection: BaseDatabaseWrapper) -> Any:
    return key.get_db_prep_value(key.get_prep_value(value), connection, prepared=True)


def _converters(field: Field[Any, Any], connection: BaseDatabaseWrapper) -> list[Convert]:
    """Return what the ORM does to a value of this column: the backend's conversion first, then the field's own."""
    read: Any = field.get_col(field.model._meta.db_table)
    found = [*connection.ops.get_db_converters(read), *read.get_db_converters(connection)]
    return [partial(_convert, one, read, connection.alias) for one in found]


def _convert(convert: Any, read: Any, using: str, value: Any) -> Any:
    return convert(value, read, connections[using])


def _reached(model: type[Model], path: str) -> tuple[str, Field[Any, Any], list[type[Model]]] | None:
    """Follow a path over plain foreign keys to a plain column: its lookup, the column, and the models on its way."""
    *steps, last = steps_of(path)
    through: list[type[Model]] = []
    for step in steps:
        field = column(model, step)
        if field is None or field.name != step or type(_attribute(model, step)) not in PLAIN_RELATIONS:
            return None
        model = field.related_model  # type: ignore[assignment]  # of a plain foreign key it is a class
        if model._meta.base_manager_name is not None:  # it may hide rows, which a JOIN would find
            return None
        through.append(model)
    field = _own_column(model, last)
    if field is None or type(_attribute(model, field.attname)) not in PLAIN_COLUMNS:
        return None
    return "__".join([*steps, field.attname]), field, through


def _own_column(model: type[Model], name: str) -> Field[Any, Any] | None:
    """Return the column that an attribute of this name reads: "sku", "product_id" or "pk", and not "product"."""
    field = column(model, name)
    if field is None:
        return next((one for one in model._meta.concrete_fields if one.attname == name), None)
    return field if name in ("pk", field.attname) else None


def _attribute(model: type[Model], name: str) -> Any:
    return inspect.getattr_static(model, name, None)


def _is_plain(model: Any) -> bool:
    """Return whether an object of this model holds what the database does: no code of the site sees it being made."""
    has_own_code = inspect.getattr_static(model, "from_db") is not _FROM_DB or model.__init__ is not Model.__init__
    return not has_own_code and not any(signal.has_listeners(model) for signal in (pre_init, post_init))


def _has_plain_manager(model: type[Model]) -> bool:
    return type(model._default_manager) is Manager
