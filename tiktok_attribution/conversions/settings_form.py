"""Compile the settings form, a dict of field paths in CONVERSIONS, into a `Conversion`.

`MappedConversion` reads each part of an event by its field path. It narrows the queries of the backfill where the
database can evaluate the condition or the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import DateField, Model, Q, QuerySet

from tiktok_attribution import conf
from tiktok_attribution.conversions.accounts import (
    KEYS,
    Owner,
    is_at_hand,
    linked_account,
    listed,
    names_of_one_type,
    read_accounts,
    related_model,
)
from tiktok_attribution.conversions.condition import Condition, column
from tiktok_attribution.conversions.conversion import ANYONE, BOTH, Conversion, own_tables
from tiktok_attribution.conversions.event_source import Tables
from tiktok_attribution.conversions.field_paths import items_of, reached_model, tables_of
from tiktok_attribution.events import User
from tiktok_attribution.events.ids import valid_event_id, valid_pixel_codes
from tiktok_attribution.events.money import CURRENCIES
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.visitor.matching import identified
from tiktok_attribution.visitor.page import read, resolve, steps_of

CONTENT_KEYS = ("content_id", "content_name", "content_category", "brand", "price", "quantity")
PROPERTY_KEYS = ("value", "currency", "order_id", "description", "search_string", "num_items")
WHOSE_KEYS = ("made_by", "visitor_of")
ATTRIBUTION_PATHS = ("refunded", "first", "code")
"""What attribution reads of the object after the event; `reversed` is a condition like `when`."""
PATH_KEYS = (*PROPERTY_KEYS, *ATTRIBUTION_PATHS, "event_id", "time", "pixel", "consent", "skip", "maker_is_person")
OTHER_KEYS = (
    *("event", "when", "contents", "user", "channels", "label", "content_type", "properties", "reversed"),
    *WHOSE_KEYS,
)
KNOWN_KEYS = (*OTHER_KEYS, *PATH_KEYS)


class MappedConversion(Conversion):
    """One entry of the setting CONVERSIONS, in which `validation.fatal_problems` finds nothing."""

    def __init__(self, model: type[Model], mapping: Mapping[str, Any]) -> None:
        super().__init__(model)
        self.mapping = mapping
        self.event = canonical_name(mapping.get("event"))
        self.channels = mapping.get("channels", BOTH)
        self.label = mapping.get("label", "")
        self.made_by = mapping.get("made_by", ANYONE)
        first = related_model(model, mapping.get("visitor_of", ""))
        self.visitor_models = () if first is None else (first,)
        self.condition = Condition(model, mapping.get("when") or {})
        self.reversal = Condition(model, mapping["reversed"]) if mapping.get("reversed") else None

    def happened(self, obj: Any) -> bool:
        return self.condition.holds(obj)

    def properties(self, obj: Any) -> Mapping[str, Any]:
        mapping = self.mapping
        found = {key: _read(obj, mapping[key], key) for key in PROPERTY_KEYS if key in mapping}
        found.update({key: _read(obj, path, key) for key, path in mapping.get("properties", {}).items()})
        if "content_type" in mapping:
            found["content_type"] = mapping["content_type"]
        if "contents" in mapping:
            found["contents"] = self._contents(obj, mapping["contents"])
        return {key: value for key, value in found.items() if value is not None}

    def _contents(self, obj: Any, mapping: Mapping[str, Any]) -> list[dict[str, Any]]:
        paths = {key: path for key, path in mapping.items() if key != "each"}
        items = items_of(obj, mapping["each"], paths.values()) if "each" in mapping else [obj]
        found = [{key: _read(item, path, key) for key, path in paths.items()} for item in items]
        return [{key: value for key, value in item.items() if value is not None} for item in found]

    def hashed_user(self, obj: Any) -> tuple[User, list[str]]:
        return identified(obj, self.mapping.get("user", {}), strict=conf.current().strict)

    def event_id(self, obj: Any) -> str:
        path = self.mapping.get("event_id")
        return valid_event_id(_read(obj, path, "event_id")) if path else self.default_event_id(obj)

    def event_time(self, obj: Any) -> Any:
        path = self.mapping.get("time")
        return _read(obj, path, "time") if path else None

    def refunded(self, obj: Any) -> Any:
        path = self.mapping.get("refunded")
        return _read(obj, path, "refunded") if path else None

    def is_reversed(self, obj: Any) -> bool:
        return self.reversal is not None and self.reversal.holds(obj)

    def is_first(self, obj: Any) -> bool | None:
        path = self.mapping.get("first")
        found = _read(obj, path, "first") if path else None
        return None if found is None else bool(found)

    def code(self, obj: Any) -> Any:
        path = self.mapping.get("code")
        return _read(obj, path, "code") if path else None

    @property
    def may_be_refunded(self) -> bool:
        return bool(self.mapping.get("refunded")) or self.reversal is not None

    @property
    def describes_object(self) -> bool:
        return self.may_be_refunded or bool(self.mapping.get("first") or self.mapping.get("code"))

    def concerns_refunds(self, update_fields: Collection[str]) -> bool:
        if self.reversal is not None and self.reversal.concerns(update_fields):
            return True
        path = self.mapping.get("refunded")
        if not path or isinstance(path, Mapping):
            return False
        field = column(self.model, steps_of(path)[0]) if isinstance(path, str) else None
        return field is None or field.name in update_fields or field.attname in update_fields

    def pixels(self, obj: Any) -> Sequence[str]:
        path = self.mapping.get("pixel")
        return valid_pixel_codes(_read(obj, path, "pixel")) if path else ()

    def consent(self, obj: Any) -> Any:
        path = self.mapping.get("consent")
        return _read(obj, path, "consent") if path else None

    def skip(self, obj: Any) -> bool:
        path = self.mapping.get("skip")
        return bool(path) and bool(_read(obj, path, "skip"))

    def maker_is_person(self, obj: Any) -> bool | None:
        path = self.mapping.get("maker_is_person")
        found = _read(obj, path, "maker_is_person") if path else None
        return None if found is None else bool(found)

    def owner(self, obj: Any, account: str, *, freely: bool) -> Owner | None:
        if not any(key in self.mapping.get("user", {}) for key in KEYS):
            return super().owner(obj, account, freely=freely)
        links, comparable = self._person
        accounts = read_accounts(obj, [path for path in links if freely or is_at_hand(obj, path)])
        if account in accounts:
            return Owner(accounts)
        if not freely:
            comparable = {key: [one for one in paths if is_at_hand(obj, one)] for key, paths in comparable.items()}
        return Owner(accounts, identified(obj, comparable)[0])

    @cached_property
    def _person(self) -> tuple[tuple[str, ...], Mapping[str, list[Any]]]:
        """Return the paths to the user rows of an object's person, and the matching keys that tell persons apart."""
        mapping = self.mapping.get("user", {})
        paths = [path for key in KEYS for path in listed(mapping.get(key, ())) if isinstance(path, str)]
        links = dict.fromkeys(filter(None, (linked_account(self.model, path) for path in paths)))
        return tuple(links), names_of_one_type(self.model, mapping)

    def first_visitor(self, obj: Any) -> tuple[str, object] | None:
        """Return label and key of the visitor's object by the value of the foreign key, without reading its row."""
        before, _, last = self.mapping["visitor_of"].replace("__", ".").rpartition(".")
        at = resolve(obj, before) if before else obj
        field: Any = None if at is None else column(type(at), last)
        if field is None:
            return None
        is_key = field.target_field.primary_key
        key = getattr(at, field.attname) if is_key else getattr(getattr(at, field.name), "pk", None)
        return None if key is None else (self.visitor_models[0]._meta.label, key)

    def candidates(self) -> QuerySet[Any]:
        rows = super().candidates().filter(self.condition.narrowed())
        keys = ("time", "event_id", "pixel", "visitor_of")
        paths = [*self.condition.paths, *(self.mapping.get(key) for key in keys)]
        relations = sorted(set(_forward_relations(self.model, paths)))
        return rows.select_related(*relations) if relations else rows

    def candidates_since(self, moment: datetime) -> QuerySet[Any]:
        time = self.mapping.get("time")
        field = column(self.model, time) if isinstance(time, str) else None
        if not isinstance(field, DateField):  # a DateTimeField is one too
            return self.candidates()
        return self.candidates().filter(_since(field, moment) | Q((f"{field.name}__isnull", True)))

    def recent(self, moment: datetime) -> QuerySet[Any] | None:
        time = self.mapping.get("time")
        field = column(self.model, time) if isinstance(time, str) else None
        return self.candidates().filter(_since(field, moment)) if isinstance(field, DateField) else None

    @cached_property
    def tables(self) -> Tables:
        mapping, contents = self.mapping, self.mapping.get("contents", {})
        paths = [mapping[key] for key in PROPERTY_KEYS if key in mapping and not _is_currency(mapping[key])]
        paths += [*mapping.get("properties", {}).values(), *([contents["each"]] if "each" in contents else [])]
        found = [tables_of(self.model, path) for path in paths]
        item = reached_model(self.model, contents["each"]) if "each" in contents else self.model
        for key, path in contents.items():
            if key != "each":
                found.append(None if item is None else tables_of(item, path))
        for path in mapping.get("user", {}).values():
            found += [tables_of(self.model, one) for one in (path if isinstance(path, (list, tuple)) else [path])]
        known = [one for one in found if one is not None]
        return Tables(own_tables(self.model), frozenset().union(*known) if len(known) == len(found) else None)

    def concerns(self, update_fields: Collection[str] | None) -> bool:
        if update_fields is None:
            return True
        return not self.happens_when_made and self.condition.concerns(update_fields)

    @property
    def happens_when_made(self) -> bool:
        return self.condition.is_always

    @property
    def has_time(self) -> bool:
        return bool(self.mapping.get("time"))


def _since(field: DateField[Any, Any], moment: datetime) -> Q:
    """Build a filter for this time, a day earlier because a date has no time zone. Python checks each object again."""
    since = moment - timedelta(days=1)
    return Q((f"{field.name}__gte", since if field.get_internal_type() == "DateTimeField" else since.date()))


def _read(obj: Any, path: Any, key: str) -> Any:
    """Read a value as `page.read` does. For a currency, the code itself may stand in place of a path."""
    return path if key == "currency" and _is_currency(path) else read(obj, path)


def _is_currency(path: Any) -> bool:
    return isinstance(path, str) and path in CURRENCIES


def _forward_relations(model: type[Model], paths: Iterable[Any]) -> Iterator[str]:
    """Yield the foreign keys that these paths go through, as `select_related` takes them."""
    for path in paths:
        if not isinstance(path, str):
            continue
        followed: list[str] = []
        at: type[Model] | None = model
        for step in steps_of(path)[:-1]:
            field = column(at, step) if at else None
            at = field.related_model if field is not None and field.is_relation else None
            if at is None:
                break
            followed.append(step)
        if followed:
            yield "__".join(followed)
