"""The settings form: a dict of field paths, compiled into a Conversion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from tiktok_attribution.conversions.declaration import BOTH, Conversion
from tiktok_attribution.events import User
from tiktok_attribution.events.money import CURRENCIES
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.visitor.identity import identified
from tiktok_attribution.visitor.paths import each, resolve

CONTENT_KEYS = ("content_id", "content_name", "content_category", "brand", "price", "quantity")
PATH_KEYS = ("value", "currency", "order_id", "description", "search_string", "num_items", "event_id", "time", "pixel")
OTHER_KEYS = ("event", "when", "contents", "user", "halves", "label", "content_type", "properties")
KNOWN_KEYS = (*OTHER_KEYS, *PATH_KEYS)


class MappedConversion(Conversion):
    """One entry of the setting CONVERSIONS."""

    def __init__(self, model: type[Model], mapping: Mapping[str, Any]) -> None:
        super().__init__(model)
        self.mapping = mapping
        self.event = canonical_name(mapping.get("event"))
        self.halves = mapping.get("halves", BOTH)
        self.label = mapping.get("label", "")
        self._when: Mapping[str, Any] | None = None
        when = mapping.get("when")
        self._test: Callable[[Any], Any] | None = None
        if isinstance(when, Mapping):
            self._when = {key.replace(".", "__"): value for key, value in when.items()}
        elif isinstance(when, str):
            self._test = import_string(when) if "." in when else lambda obj: resolve(obj, when)
        elif callable(when):
            self._test = when

    def happened(self, obj: Any) -> bool:
        if self._test is not None:
            return bool(self._test(obj))
        return all(_matches(resolve(obj, path), wanted) for path, wanted in (self._when or {}).items())

    def properties(self, obj: Any) -> Mapping[str, Any]:
        mapping = self.mapping
        keys = ("value", "currency", "order_id", "description", "search_string", "num_items")
        found = {key: _read(obj, mapping[key], key) for key in keys if key in mapping}
        found.update({key: _read(obj, path, key) for key, path in mapping.get("properties", {}).items()})
        if "content_type" in mapping:
            found["content_type"] = mapping["content_type"]
        if "contents" in mapping:
            found["contents"] = self._contents(obj, mapping["contents"])
        return {key: value for key, value in found.items() if value is not None}

    def _contents(self, obj: Any, mapping: Mapping[str, Any]) -> list[dict[str, Any]]:
        items = each(obj, mapping["each"]) if "each" in mapping else [obj]
        paths = {key: path for key, path in mapping.items() if key != "each"}
        read = [{key: _read(item, path, key) for key, path in paths.items()} for item in items]
        return [{key: value for key, value in item.items() if value is not None} for item in read]

    def hashed_user(self, obj: Any) -> tuple[User, list[str]]:
        return identified(obj, self.mapping.get("user", {}))

    def event_id(self, obj: Any) -> str:
        path = self.mapping.get("event_id")
        return str(_read(obj, path, "event_id")) if path else super().event_id(obj)

    def event_time(self, obj: Any) -> Any:
        path = self.mapping.get("time")
        return _read(obj, path, "time") if path else None

    def pixels(self, obj: Any) -> Sequence[str]:
        path = self.mapping.get("pixel")
        found = _read(obj, path, "pixel") if path else ()
        return [found] if isinstance(found, str) else list(found or ())

    def candidates(self) -> QuerySet[Any]:
        rows = super().candidates()
        return rows.filter(**self._lookups()) if self._when else rows

    def had_happened(self, pk: object, using: str) -> bool:
        if self._test is not None:
            return super().had_happened(pk, using)
        rows = self.model._base_manager.using(using).filter(pk=pk)
        return bool(rows.filter(**self._lookups()).exists())

    def concerns(self, update_fields: Sequence[str] | None) -> bool:
        if update_fields is None or not self._when:
            return True
        return any(path.partition("__")[0] in update_fields for path in self._when)

    def _lookups(self) -> dict[str, Any]:
        several = (list, tuple, set, frozenset)
        return {f"{path}__in" if isinstance(v, several) else path: v for path, v in (self._when or {}).items()}


def _matches(value: object, wanted: object) -> bool:
    return value in wanted if isinstance(wanted, (list, tuple, set, frozenset)) else value == wanted


def _read(obj: Any, path: Any, key: str) -> Any:
    """A field path, a callable of the object, {"constant": value}, or for currency its code itself."""
    if callable(path):
        return path(obj)
    if isinstance(path, Mapping):
        return path["constant"]
    if key == "currency" and path in CURRENCIES:
        return path
    return resolve(obj, path)
