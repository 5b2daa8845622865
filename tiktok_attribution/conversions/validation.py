"""Check the settings form: report every problem that can be seen without an object, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model
from django.utils.module_loading import import_string

from tiktok_attribution.conversions.accounts import related_model
from tiktok_attribution.conversions.condition import SEVERAL, column
from tiktok_attribution.conversions.conversion import ANYONE, BOTH, CHANNELS, MAKERS
from tiktok_attribution.conversions.field_paths import reached_model, relation
from tiktok_attribution.conversions.settings_form import CONTENT_KEYS, KNOWN_KEYS, PATH_KEYS
from tiktok_attribution.events.ids import valid_pixel_codes
from tiktok_attribution.events.money import CURRENCIES, meant_currency
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.visitor.matching import KEYS
from tiktok_attribution.visitor.page import steps_of

DeclarationProblem = tuple[str, str]
"""What is wrong and where, and how to fix it ("" if the message says that too)."""


def problems(label: str, model: type[Model], mapping: object) -> Iterator[DeclarationProblem]:
    """Yield every problem in one entry of CONVERSIONS that can be seen without an object."""
    fatal = list(fatal_problems(label, model, mapping))
    yield from fatal
    if isinstance(mapping, Mapping):
        yield from _doubtful(f"CONVERSIONS[{label!r}]", model, mapping)


def fatal_problems(label: str, model: type[Model], mapping: object) -> Iterator[DeclarationProblem]:
    """Yield the problems that make an entry unusable. With any other problem, events are recorded, maybe as invalid."""
    where = f"CONVERSIONS[{label!r}]"
    if not isinstance(mapping, Mapping):
        yield f"{where} must be a dict or a list of dicts.", ""
        return
    if model._meta.swapped:
        yield f"{where}: {label} is replaced by {model._meta.swapped}.", f"Declare {model._meta.swapped!r} instead."
    if model._meta.abstract:
        yield f"{where}: {label} is abstract and has no objects.", "Declare its children, each with its own label."
    try:
        canonical_name(mapping.get("event"))
    except InvalidEvent as error:
        yield f"{where}['event']: {error}", ""
    if mapping.get("channels", BOTH) not in CHANNELS:
        yield f"{where}['channels'] is {mapping['channels']!r}, not one of {', '.join(CHANNELS)}.", ""
    if mapping.get("made_by", ANYONE) not in MAKERS:
        yield f"{where}['made_by'] is {mapping['made_by']!r}, not one of {', '.join(MAKERS)}.", ""
    yield from _visitor_of_problems(f"{where}['visitor_of']", model, mapping.get("visitor_of"))
    if not isinstance(mapping.get("label", ""), str):
        yield f"{where}['label'] must be text.", 'Write "label": "order".'
    for part in ("user", "properties", "contents"):
        if not isinstance(mapping.get(part, {}), Mapping):
            yield f"{where}[{part!r}] must be a dict.", _EXAMPLES[part]
    yield from _when_problems(where, "when", mapping.get("when"))
    yield from _when_problems(where, "reversed", mapping.get("reversed"))


_EXAMPLES = {
    "user": 'Write {"email": "email"}.',
    "properties": 'Write {"shop_id": "shop.code"}.',
    "contents": 'Write {"each": "lines", "content_id": "sku", …}.',
}


def _visitor_of_problems(where: str, model: type[Model], path: object) -> Iterator[DeclarationProblem]:
    if path is None:
        return
    if not isinstance(path, str):
        yield f"{where} must be a path of foreign keys.", 'Write "visitor_of": "subscription".'
    elif related_model(model, path) is None:
        hint = unresolved(model, path) or "Name a foreign key of the model, or a path of several."
        yield f"{where} is {path!r}, which leads to no other object.", hint


def _when_problems(where: str, key: str, when: object) -> Iterator[DeclarationProblem]:
    if isinstance(when, str) and "." in when:
        try:
            found = import_string(when)
        except ImportError as error:
            yield f"{where}[{key!r}] names {when!r}, which can't be imported: {error}.", ""
            return
        if not callable(found):
            yield f"{where}[{key!r}] names {when!r}, which isn't callable.", ""
    elif when is not None and not callable(when) and not isinstance(when, (str, Mapping)):
        example = '{"status": "paid"}' if key == "when" else '{"status": "cancelled"}'
        yield f"{where}[{key!r}] must be a dict, a callable or the name of one.", f"Write {example}."


def _doubtful(where: str, model: type[Model], mapping: Mapping[str, Any]) -> Iterator[DeclarationProblem]:
    for key in mapping:
        if key not in KNOWN_KEYS:
            yield f"{where} has no key {key!r}.", _nearest(key, KNOWN_KEYS)
    parts = {name: part if isinstance(part := mapping.get(name, {}), Mapping) else {} for name in _EXAMPLES}
    yield from user_problems(f"{where}['user']", model, parts["user"])
    paths = [(key, mapping[key]) for key in PATH_KEYS if key in mapping]
    for key, path in [*paths, *parts["properties"].items()]:
        yield from _path_problems(f"{where}: {key!r}", model, path, currency=key == "currency")
    yield from _pixel_problems(f"{where}['pixel']", mapping.get("pixel"))
    for key in ("when", "reversed"):
        yield from _condition_problems(f"{where}[{key!r}]", model, mapping.get(key))
    yield from _contents_problems(f"{where}['contents']", model, parts["contents"])


def _condition_problems(where: str, model: type[Model], when: object) -> Iterator[DeclarationProblem]:
    for path in when if isinstance(when, Mapping) else [when] if isinstance(when, str) and "." not in when else []:
        yield from _path_problems(where, model, path)
    if isinstance(when, Mapping):
        for path, wanted in when.items():
            yield from _never_equal(f"{where}[{path!r}]", column(model, path), wanted)


def _pixel_problems(where: str, path: object) -> Iterator[DeclarationProblem]:
    if isinstance(path, Mapping) and "constant" in path:
        try:
            valid_pixel_codes(path["constant"])
        except InvalidEvent as error:
            yield f"{where}: {error}.", "Copy the pixel's id from TikTok Events Manager."


def _never_equal(where: str, field: Field[Any, Any] | None, wanted: object) -> Iterator[DeclarationProblem]:
    """Report values that a column of Django's own types never has: the conversion would silently never happen."""
    if field is None or not type(field).__module__.startswith("django.db.models."):
        return
    choices = [value for value, _ in field.flatchoices]
    for value in wanted if isinstance(wanted, SEVERAL) else [wanted]:
        if value is None or isinstance(value, Model) or (field.blank and value == ""):
            continue
        if choices and value not in choices:
            yield (
                f"{where}: {value!r} is none of the field's choices.",
                _nearest(value, list(map(str, choices)), "choices"),
            )
        elif not choices and not _may_hold(field, value):
            kind = field.get_internal_type()
            yield f"{where}: {value!r} is never the value of a {kind}.", 'Write such a value, or a callable as "when".'


def _may_hold(field: Field[Any, Any], value: object) -> bool:
    try:
        return bool(field.to_python(value) == value)
    except (ValidationError, TypeError, ValueError):
        return False


def user_problems(where: str, model: type[Model], mapping: Mapping[str, Any]) -> Iterator[DeclarationProblem]:
    """Yield the problems in a mapping of matching keys: that of a conversion, or the setting USER."""
    for key, given in mapping.items():
        if key not in KEYS:
            yield f"{where} has no key {key!r}.", _nearest(key, KEYS)
        for path in given if isinstance(given, (list, tuple)) else (given,):
            yield from _path_problems(f"{where}: {key!r}", model, path)


def _path_problems(
    where: str, model: type[Model] | None, path: object, *, currency: bool = False
) -> Iterator[DeclarationProblem]:
    if isinstance(path, str):
        hint = "" if model is None or (currency and path in CURRENCIES) else unresolved(model, path)
        meant = meant_currency(path) if currency else ""
        if hint and meant:
            hint = f"Did you mean {meant!r}? A code is written in capitals; any other text is a field path."
        if hint:
            yield f"{where} names {path!r}, which doesn't resolve.", hint
    elif isinstance(path, Mapping):
        if set(path) != {"constant"}:
            yield f"{where} is a dict, but not {{'constant': value}}.", "Write a field path or {'constant': value}."
    elif not callable(path):
        yield f"{where} is {type(path).__name__}.", "Write a field path, a callable or {'constant': value}."


def _contents_problems(where: str, model: type[Model], contents: Mapping[str, Any]) -> Iterator[DeclarationProblem]:
    item_model: type[Model] | None = model
    if "each" in contents:
        found = list(_path_problems(f"{where}['each']", model, contents["each"]))
        yield from found
        each = contents["each"]
        item_model = reached_model(model, each) if isinstance(each, str) and not found else None
    for key, path in contents.items():
        if key == "content_type":
            yield (
                f"{where} has no key {key!r}.",
                'Write it beside "contents": "content_type": "product" (or "product_group").',
            )
        elif key not in (*CONTENT_KEYS, "each"):
            yield f"{where} has no key {key!r}.", _nearest(key, ("each", *CONTENT_KEYS))
        elif key != "each":
            yield from _path_problems(f"{where}[{key!r}]", item_model, path)


def _nearest(key: object, known: Sequence[str], kind: str = "keys") -> str:
    near = difflib.get_close_matches(str(key), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known {kind}: {', '.join(known)}."


def unresolved(model: type[Model], path: str) -> str:
    """Return why a path can't work on this model. "" if it can, or if only an object can tell."""
    at: type[Model] | None = model
    for step in steps_of(path):
        if at is None:
            return ""
        if step != "pk" and not hasattr(at, step) and not _has_field(at, step):
            names = [field.name for field in at._meta.get_fields()]
            near = difflib.get_close_matches(step, names, n=1)
            return f"{at._meta.label} has no {step!r}." + (f" Did you mean {near[0]!r}?" if near else "")
        followed = relation(at, step)
        # A manager's own method may be the next step, as in "lines.first".
        at = None if followed is None or followed.one_to_many or followed.many_to_many else followed.related_model
    return ""


def _has_field(model: type[Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def amount_without_currency(model: type[Model], mapping: Mapping[str, Any]) -> str:
    """Return the key of an amount in a declaration that names no currency, "" if there is none.

    Fields of other packages may give money objects, which have their own currency.
    """
    contents = mapping.get("contents") or {}
    own = mapping.get("properties") or {}
    if "currency" in mapping or "currency" in own:
        return ""
    item_model = reached_model(model, contents["each"]) if isinstance(contents.get("each"), str) else model
    amounts = (("value", model, mapping.get("value", own.get("value"))), ("price", item_model, contents.get("price")))
    for key, at, path in amounts:
        field = column(at, path) if at is not None and isinstance(path, str) else None
        if path is not None and (field is None or type(field).__module__.startswith("django.db.models.")):
            return key
    return ""
