"""Follow field paths through relations: which tables they read, and how to fetch a list of items with few queries.

Each line of an order may lead to its product, variant and brand. Followed line by line, that is a query for each line
and relation, inside the checkout's transaction. Known beforehand, it is one JOIN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.exceptions import FieldError
from django.db import NotSupportedError, router
from django.db.models import Model, QuerySet, prefetch_related_objects

from tiktok_attribution.conversions.condition import column
from tiktok_attribution.visitor.page import read, steps_of


class Relation(NamedTuple):
    """The beginning of a path that leads to one object each: as Django's lookups take it, and the models on its way."""

    lookup: str
    models: tuple[type[Model], ...]
    by_join: bool


def relation(model: type[Model], step: str) -> Any:
    """Return the field or reverse relation that an attribute of this name leads through, None for other attributes."""
    for field in model._meta.get_fields():
        name = field.get_accessor_name() if hasattr(field, "get_accessor_name") else field.name
        if name == step and field.is_relation:
            return field
    return None


def tables_of(model: type[Model], path: Any) -> frozenset[str] | None:
    """Return the tables that a path reads beside its model's own; None if a property or a callable may read any."""
    if not isinstance(path, str):
        return frozenset() if isinstance(path, dict) else None
    found: set[str] = set()
    at: type[Model] | None = model
    for step in steps_of(path):
        followed = None if at is None else relation(at, step)
        if followed is None:
            is_known = at is None or step == "pk" or column(at, step) is not None or _is_key(at, step)
            return frozenset(found) if is_known else None
        if followed.related_model is None:
            return None
        through = getattr(followed, "through", None) or getattr(followed.remote_field, "through", None)
        found.update(one._meta.db_table for one in (followed.related_model, through) if one is not None)
        at = followed.related_model
    return frozenset(found)


def reached_model(model: type[Model], path: Any) -> type[Model] | None:
    """Return the model that a path leads to, None if only an object can tell."""
    at: type[Model] | None = model
    for step in steps_of(path) if isinstance(path, str) else [""]:
        at = getattr(relation(at, step) if at else None, "related_model", None)
    return at


def items_of(obj: object, path: Any, paths: Iterable[Any]) -> Iterable[Any]:
    """Return the items that a path leads to, with what `paths` read of them, in a constant number of queries.

    The path may give a related manager, a queryset or any iterable. What is fetched already is not fetched again. What
    can't be joined is followed item by item, as a template would.
    """
    items = read(obj, path)
    if items is None:
        return ()
    parent = getattr(getattr(items, "field", None), "name", "")  # of a related manager: that object is loaded already
    if hasattr(items, "all"):
        items = items.all()
    wanted = tuple(path for path in paths if isinstance(path, str))
    if not isinstance(items, QuerySet):
        return _fetched(list(items), wanted, parent)
    relations = relations_of(items.model, wanted, parent)  # type: ignore[arg-type]  # a class is hashable
    if not relations:
        return items
    if items._result_cache is not None:  # noqa: SLF001 -- shows a prefetched queryset; Django's own prefetch reads it
        return _fetched(list(items), wanted, parent)
    try:
        return list(_joined(items, obj, relations))
    except (FieldError, NotSupportedError, TypeError):  # of a queryset with only(), union() or values()
        return _fetched(list(items), wanted, parent)


def _joined(rows: QuerySet[Any], obj: object, relations: Sequence[Relation]) -> QuerySet[Any]:
    """Fetch by JOIN, else by prefetch: a base manager of the site may hide rows, a router may use another database."""
    hints = {"instance": obj} if isinstance(obj, Model) else {}
    joins: list[str] = []
    others: list[str] = []
    for one in relations:
        here = one.by_join and all(router.db_for_read(model, **hints) == rows.db for model in one.models)
        (joins if here else others).append(one.lookup)
    if joins:
        rows = rows.select_related(*joins)
    return rows.prefetch_related(*others) if others else rows


def _fetched(items: list[Any], paths: tuple[str, ...], parent: str) -> list[Any]:
    models = {type(item) for item in items}
    model = models.pop() if len(models) == 1 else object
    if issubclass(model, Model):
        with suppress(AttributeError, FieldError, ValueError):  # then nothing is prefetched, and nothing is lost
            relations = relations_of(model, paths, parent)  # type: ignore[arg-type]
            prefetch_related_objects(items, *(one.lookup for one in relations))
    return items


@lru_cache(maxsize=256)
def relations_of(model: type[Model], paths: tuple[str, ...], parent: str = "") -> tuple[Relation, ...]:
    """Return the relations at the beginning of these paths, except those that begin at the known `parent`."""
    found = (_relation_of(model, path) for path in paths if steps_of(path)[0] != parent)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _relation_of(model: type[Model], path: str) -> Relation | None:
    followed = list(_single(model, steps_of(path)))
    if not followed:
        return None
    models = tuple(field.related_model for _, field in followed if field.related_model is not None)
    # `select_related` knows a reverse relation by its query name, which may differ from the attribute's name.
    can_join = len(models) == len(followed) and all(step == field.name for step, field in followed)
    by_join = can_join and all(one._meta.base_manager_name is None for one in models)
    return Relation("__".join(step for step, _ in followed), models, by_join)


def _single(model: type[Model], steps: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield the first steps that each lead to one object. A generic relation is the last: only objects know its
    model."""
    at: type[Model] | None = model
    for step in steps:
        field = relation(at, step) if at is not None else None
        if field is None or not (field.many_to_one or field.one_to_one):
            return
        yield step, field
        at = field.related_model


def _is_key(model: type[Model], step: str) -> bool:
    """Return whether this is the column of a foreign key, such as "product_id"."""
    return any(field.attname == step for field in model._meta.concrete_fields)
