"""Every mistake in the settings form that can be seen without an object, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils.module_loading import import_string

from tiktok_attribution.conversions.declaration import BOTH, HALVES
from tiktok_attribution.conversions.mapped import CONTENT_KEYS, KNOWN_KEYS, PATH_KEYS
from tiktok_attribution.events.money import CURRENCIES
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.identity import KEYS


def mistakes(label: str, model: type[Model], mapping: object) -> Iterator[tuple[str, str]]:
    """Every mistake in one entry of CONVERSIONS that can be seen without an object: (message, hint)."""
    where = f"CONVERSIONS[{label!r}]"
    if not isinstance(mapping, Mapping):
        yield f"{where} must be a dict or a list of dicts.", ""
        return
    for key in mapping:
        if key not in KNOWN_KEYS:
            near = difflib.get_close_matches(str(key), KNOWN_KEYS, n=1)
            yield f"{where} has no key {key!r}.", f"Did you mean {near[0]!r}?" if near else f"Known: {KNOWN_KEYS}"
    try:
        canonical_name(mapping.get("event"))
    except InvalidEvent as error:
        yield f"{where}['event']: {error}", ""
    if mapping.get("halves", BOTH) not in HALVES:
        yield f"{where}['halves'] is {mapping['halves']!r}, not one of {HALVES}.", ""
    yield from _path_mistakes(where, model, mapping)
    yield from _contents_mistakes(where, model, mapping.get("contents"))
    yield from _when_mistakes(where, model, mapping.get("when"))


def _path_mistakes(where: str, model: type[Model], mapping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    user, own = mapping.get("user", {}), mapping.get("properties", {})
    for name, part in (("user", user), ("properties", own)):
        if not isinstance(part, Mapping):
            yield f"{where}[{name!r}] must be a dict.", ""
    for key in user if isinstance(user, Mapping) else ():
        if key not in KEYS:
            yield f"{where}['user'] has no key {key!r}.", f"Known keys: {', '.join(KEYS)}."
    paths = [(key, mapping[key]) for key in PATH_KEYS if key in mapping and mapping[key] not in CURRENCIES]
    for part in (user, own):
        paths += list(part.items()) if isinstance(part, Mapping) else []
    for key, path in paths:
        for one in path if isinstance(path, (list, tuple)) else (path,):
            if isinstance(one, str) and (hint := unresolved(model, one)):
                yield f"{where}: {key!r} names {one!r}, which doesn't resolve.", hint


def _contents_mistakes(where: str, model: type[Model], contents: object) -> Iterator[tuple[str, str]]:
    if contents is None:
        return
    if not isinstance(contents, Mapping):
        yield f"{where}['contents'] must be a dict.", 'Write {"each": "lines", "content_id": "sku", …}.'
        return
    item_model: type[Model] | None = model
    if isinstance(contents.get("each"), str):
        if hint := unresolved(model, contents["each"]):
            yield f"{where}['contents']['each'] names {contents['each']!r}, which doesn't resolve.", hint
            return
        item_model = _related(model, contents["each"])
    for key, path in contents.items():
        if key not in (*CONTENT_KEYS, "each"):
            yield f"{where}['contents'] has no key {key!r}.", f"Known keys: each, {', '.join(CONTENT_KEYS)}."
        elif key != "each" and item_model and isinstance(path, str) and (hint := unresolved(item_model, path)):
            yield f"{where}['contents'][{key!r}] names {path!r}, which doesn't resolve.", hint


def _when_mistakes(where: str, model: type[Model], when: object) -> Iterator[tuple[str, str]]:
    if isinstance(when, Mapping):
        for path in when:
            if hint := unresolved(model, str(path)):
                yield f"{where}['when'] names {path!r}, which doesn't resolve.", hint
    elif isinstance(when, str) and "." in when:
        try:
            import_string(when)
        except ImportError as error:
            yield f"{where}['when'] names {when!r}, which can't be imported: {error}.", ""
    elif isinstance(when, str) and (hint := unresolved(model, when)):
        yield f"{where}['when'] names {when!r}, which doesn't resolve.", hint
    elif when is not None and not callable(when) and not isinstance(when, str):
        yield f"{where}['when'] must be a dict, a callable or the name of one.", ""


def unresolved(model: type[Model], path: str) -> str:
    """Why a path can't work on this model, "" when it can or when only an object can tell."""
    at: type[Model] | None = model
    for step in path.replace("__", ".").split("."):
        if at is None:
            return ""
        if step != "pk" and not hasattr(at, step) and not _has_field(at, step):
            names = [field.name for field in at._meta.get_fields()]
            near = difflib.get_close_matches(step, names, n=1)
            return f"{at._meta.label} has no {step!r}." + (f" Did you mean {near[0]!r}?" if near else "")
        at = _related(at, step)
    return ""


def _has_field(model: type[Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def _related(model: type[Model], path: str) -> type[Model] | None:
    """The model that a path leads to, None where only an object can tell."""
    at: type[Model] | None = model
    for step in path.replace("__", ".").split("."):
        relations = at._meta.get_fields() if at else ()
        accessors = {getattr(f, "get_accessor_name", lambda f=f: f.name)() or f.name: f for f in relations}
        at = getattr(accessors.get(step), "related_model", None)
    return at
