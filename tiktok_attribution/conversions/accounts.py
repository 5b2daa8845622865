"""Read which account and which matching keys an object names as its person's.

A declaration's field paths may lead to user rows (`linked_account`) or to comparable keys (`names_of_one_type`). Both
are compared with the signed-in user in `conversions.person`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Field, Model

from tiktok_attribution.conversions.condition import column
from tiktok_attribution.events import User
from tiktok_attribution.events.types import NO_USER
from tiktok_attribution.visitor.page import resolve, steps_of

KEYS = ("email", "external_id")
"""Matching keys that tell one person from another."""


class Owner(NamedTuple):
    """Keys of user rows, as text, and hashed matching keys. Both are empty if an object names no person."""

    accounts: frozenset[str] = frozenset()
    keys: User = NO_USER


def concrete(model: type[Model]) -> type[Model]:
    """Return the model that has the rows: for a proxy, the model behind it."""
    return model._meta.concrete_model or model


def user_model() -> type[Model] | None:
    """Return the site's user model, None for a site without users."""
    return get_user_model() if apps.is_installed("django.contrib.auth") else None


def is_account(obj: object) -> bool:
    """Return whether this is a user row itself, or a child of one."""
    model = user_model()
    return model is not None and isinstance(obj, concrete(model))


@lru_cache(maxsize=256)
def account_columns(model: type[Model]) -> tuple[str, ...]:
    """Return the model's own foreign keys to the user model, by the name of their value."""
    return tuple(field.attname for field in model._meta.concrete_fields if _leads_to_account(field))


def linked_account(model: type[Model], path: str) -> str:
    """Return the part of a field path that gives the key of a user row: "customer_id" of "customer.email"; else ""."""
    at: type[Model] | None = model
    followed: list[str] = []
    for step in steps_of(path):
        field = column(at, step) if at else None
        if field is None:
            return ""
        if _leads_to_account(field):
            return ".".join([*followed, field.attname])
        followed.append(step)
        at = field.related_model if field.is_relation else None
    return ""


def related_model(model: type[Model], path: str) -> type[Model] | None:
    """Return the model that a path of foreign keys leads to, None for any other path."""
    at: type[Model] | None = model
    for step in steps_of(path):
        field = column(at, step) if at else None
        at = field.related_model if field is not None and field.is_relation else None
    return None if at is None else concrete(at)


def names_of_one_type(model: type[Model], mapping: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the paths of a mapping's KEYS whose values can be compared with a user's.

    The key of a row in another table, such as "customer_id" where customers are not users, is a different number.
    """
    found: dict[str, list[Any]] = {}
    for key in KEYS:
        paths = [path for path in listed(mapping.get(key, ())) if not (isinstance(path, str) and _is_key(model, path))]
        if paths:
            found[key] = paths
    return found


def read_accounts(obj: Any, paths: Iterable[str]) -> frozenset[str]:
    """Return the keys of the user rows that these paths lead to, as text."""
    return frozenset(str(value) for value in (resolve(obj, path) for path in paths) if value is not None)


def is_at_hand(obj: Any, path: Any) -> bool:
    """Return False if a foreign key of the path leads to a row that has not been fetched yet."""
    at = obj
    for step in steps_of(path)[:-1] if isinstance(path, str) else ():
        field: Any = column(type(at), step) if isinstance(at, Model) else None
        if field is None or not field.is_relation or getattr(at, field.attname) is None:
            return True
        if step == field.attname or not field.is_cached(at):
            return False
        at = getattr(at, field.name)
    return True


def listed(paths: Any) -> Iterator[Any]:
    """Yield the paths of one matching key, which may be one or several."""
    yield from paths if isinstance(paths, (list, tuple)) else [paths]


def _is_key(model: type[Model], path: str) -> bool:
    at: type[Model] | None = model
    field: Field[Any, Any] | None = None
    for step in steps_of(path):
        field = column(at, step) if at else None
        if field is None:
            return False
        at = field.related_model if field.is_relation else None
    return field is not None and (field.is_relation or field.primary_key)


def _leads_to_account(field: Field[Any, Any]) -> bool:
    """Return whether a foreign key holds the user row's primary key. With `to_field` it can't be compared."""
    model, related = user_model(), field.related_model if field.is_relation else None
    if model is None or not isinstance(related, type) or concrete(related) is not concrete(model):
        return False
    return bool(getattr(getattr(field, "target_field", None), "primary_key", False))
