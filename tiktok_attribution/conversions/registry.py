"""Register conversions, and find those of a model.

Declarations come from the setting CONVERSIONS and from `@register` in `tiktok.py` modules. `of` returns the conversions
of a model, `watched_models` the models whose saves matter.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.apps import apps
from django.db.models import Model

from tiktok_attribution import conf
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions.accounts import concrete
from tiktok_attribution.conversions.conversion import CHANNELS, MAKERS, Conversion
from tiktok_attribution.conversions.settings_form import MappedConversion
from tiktok_attribution.conversions.validation import fatal_problems, problems
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.exceptions import InvalidEvent

logger = logging.getLogger("tiktok_attribution")
Declared = TypeVar("Declared", bound=type[Conversion])

_registered: list[Conversion] = []
_from_settings: tuple[object, list[Conversion]] = (None, [])


def register(*models: type[Model]) -> Callable[[Declared], Declared]:
    """Register a conversion class: `@register(Order)`. Raises ConfigurationError for a declaration that can't work."""

    def decorate(declared: Declared) -> Declared:
        try:
            declared.event = canonical_name(declared.event)
        except InvalidEvent as error:
            raise ConfigurationError(f"{declared.__name__}.event: {error}") from error
        fault = _fault(declared, models)
        if fault:
            raise ConfigurationError(f"@register of {declared.__name__}: {fault}")
        _registered.extend(declared(model) for model in models)
        return declared

    return decorate


def _fault(declared: type[Conversion], models: Sequence[type[Model]]) -> str:
    if not models:
        return "it names no model, write @register(Order)."
    if declared.channels not in CHANNELS:
        return f"channels is {declared.channels!r}, not one of {', '.join(CHANNELS)}."
    if declared.made_by not in MAKERS:
        return f"made_by is {declared.made_by!r}, not one of {', '.join(MAKERS)}."
    if declared.visitor_of is not Conversion.visitor_of and not declared.visitor_models:
        return "it has visitor_of, but no visitor_models: name the models of what it gives, so that they are watched."
    for model in models:
        if model._meta.swapped or model._meta.abstract:
            return f"{model.__name__} has no objects, register {model._meta.swapped or 'its children'}."
    return ""


def every() -> Iterator[Conversion]:
    """Yield all conversions, those of the settings first."""
    yield from _settings_form()
    yield from _registered


def of(model: type[Model]) -> list[Conversion]:
    """Return the conversions of a model, including those of its parents and proxies.

    A child's declaration replaces its parent's, as a method does. If both declare the same event, only the child's
    declaration counts a child's object. Otherwise a subscription that is also an order would be two purchases with two
    ids.
    """
    found = [conversion for conversion in every() if issubclass(model, conversion.model)]
    if len(found) < 2:
        return found
    return [one for one in found if not any(_overrides(other, one) for other in found)]


def _overrides(other: Conversion, one: Conversion) -> bool:
    return other.event == one.event and other.model is not one.model and issubclass(other.model, one.model)


def overriding(conversion: Conversion) -> list[Conversion]:
    """Return the conversions that replace this one for objects of a child model with a table of its own."""
    return [other for other in every() if _overrides(other, conversion) and not _is_proxy_of(other, conversion)]


def _is_proxy_of(other: Conversion, one: Conversion) -> bool:
    return other.model._meta.concrete_model is one.model._meta.concrete_model


def children_of(model: type[Model]) -> list[type[Model]]:
    """Return the declared children with tables of their own, those nearest to the leaves first.

    A save through the parent sends no signal for the child.
    """
    found = {one.model for one in every() if one.model is not model and issubclass(one.model, model)}
    children = (one for one in found if one._meta.concrete_model is not model._meta.concrete_model)
    return sorted(children, key=lambda one: len(one._meta.get_parent_list()), reverse=True)


def first_visitor_models() -> set[type[Model]]:
    """Return the models whose visitors are kept for other objects (`visitor_of`), whether they are conversions or
    not."""
    return {concrete(model) for conversion in every() for model in conversion.visitor_models}


def kept_for_others(model: type[Model]) -> list[Conversion]:
    """Return placeholders without an event, for an object of this model whose visitor is kept for other objects."""
    return [Conversion(kept) for kept in first_visitor_models() if issubclass(model, kept)]


def watched_models() -> set[type[Model]]:
    """Return every model whose saves matter: declared ones, those of `visitor_of`, their proxies, children, parents."""
    declared = tuple({conversion.model for conversion in every()} | first_visitor_models())
    parents = {parent for model in declared for parent in model._meta.get_parent_list()}
    return parents | {model for model in apps.get_models() if declared and issubclass(model, declared)}


def told_twice() -> Iterator[tuple[str, str, str]]:
    """Yield event, model and proxy where both are declared: the same rows would count under two ids."""
    for one in every():
        for other in every():
            if _overrides(other, one) and _is_proxy_of(other, one):
                yield one.event, one.model._meta.label, other.model._meta.label


def _settings_form() -> list[Conversion]:
    global _from_settings
    mapping = conf.current().conversions
    if _from_settings[0] is not mapping:
        _from_settings = (mapping, list(_compile(mapping)))
    return _from_settings[1]


def _compile(mapping: Mapping[str, Any]) -> Iterator[Conversion]:
    """Compile the valid entries. The rest is logged, and the system checks report it."""
    for label, entry in mapping.items():
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            logger.warning("tiktok: CONVERSIONS[%r] is left out: there is no such model.", label)
            continue
        for one in entry if isinstance(entry, (list, tuple)) else [entry]:
            fatal = list(fatal_problems(label, model, one))
            for message, hint in fatal or problems(label, model, one):
                logger.error("tiktok: %s%s %s", "left out: " if fatal else "", message, hint)
            if not fatal:
                yield MappedConversion(model, one)


def ambiguous() -> Iterator[str]:
    """Yield conversions whose event ids would collide: same event, and same label or model name before the key."""
    seen = defaultdict(list)
    for conversion in every():
        own = conversion.mapping.get("event_id") if isinstance(conversion, MappedConversion) else None
        prefix = conversion.label or conversion.model._meta.model_name
        seen[conversion.event, prefix, type(conversion).event_id, repr(own)].append(conversion.model._meta.label)
    for (event, *_), models in seen.items():
        if len(models) > 1:
            names = " and ".join(sorted(set(models)))
            yield f"{event} of {names} is declared {len(models)} times with the same event ids."
