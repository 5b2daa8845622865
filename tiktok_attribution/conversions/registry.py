"""Which conversions a model has: those of the settings and those that `tiktok.py` modules register."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from django.apps import apps
from django.db.models import Model

from tiktok_attribution import conf
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.mapped import MappedConversion
from tiktok_attribution.conversions.mistakes import mistakes
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.exceptions import InvalidEvent

logger = logging.getLogger("tiktok_attribution")
Declared = TypeVar("Declared", bound=type[Conversion])

_registered: list[Conversion] = []
_from_settings: tuple[object, list[Conversion]] = (None, [])


def register(*models: type[Model]) -> Callable[[Declared], Declared]:
    """Class decorator: `@register(Order)`. Raises ConfigurationError for an event name TikTok would not take."""

    def decorate(declared: Declared) -> Declared:
        if not models:
            raise ConfigurationError(f"@register of {declared.__name__} names no model: write @register(Order).")
        try:
            declared.event = canonical_name(declared.event)
        except InvalidEvent as error:
            raise ConfigurationError(f"{declared.__name__}.event: {error}") from error
        _registered.extend(declared(model) for model in models)
        return declared

    return decorate


def every() -> Iterator[Conversion]:
    """All conversions, those of the settings first."""
    yield from _settings_form()
    yield from _registered


def of(model: type[Model]) -> list[Conversion]:
    """The conversions of a model, also through its parents and of proxies."""
    return [conversion for conversion in every() if issubclass(model, conversion.model)]


def watched_models() -> set[type[Model]]:
    """Every model whose saves matter: the declared ones, their proxies and their children."""
    declared = tuple({conversion.model for conversion in every()})
    return {model for model in apps.get_models() if declared and issubclass(model, declared)}


def _settings_form() -> list[Conversion]:
    global _from_settings
    mapping = conf.current().conversions
    if _from_settings[0] is not mapping:
        _from_settings = (mapping, list(_compile(mapping)))
    return _from_settings[1]


def _compile(mapping: Mapping[str, Any]) -> Iterator[Conversion]:
    """Compile what can be used; the rest is logged, and the system checks name it."""
    for label, entry in mapping.items():
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError) as error:
            logger.error("tiktok: CONVERSIONS[%r] is left out: %s", label, error)
            continue
        for one in entry if isinstance(entry, (list, tuple)) else [entry]:
            wrong = [" ".join(mistake) for mistake in mistakes(label, model, one)]
            if wrong:
                logger.error("tiktok: a conversion is left out: %s", " ".join(wrong))
            else:
                yield MappedConversion(model, one)


def ambiguous() -> Iterator[str]:
    """Conversions whose event ids would collide: same event, same model, same label."""
    seen = defaultdict(list)
    for conversion in every():
        seen[conversion.event, conversion.model, conversion.label, type(conversion).event_id].append(conversion)
    for (event, model, *_), alike in seen.items():
        if len(alike) > 1:
            yield f"{model._meta.label} declares {event} {len(alike)} times with the same event ids."
