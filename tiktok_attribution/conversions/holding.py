"""The mark at an object that its event is not to be recorded, for it happened inside `paused()`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import router
from django.db.models import Model

from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.conversions.recorder import channels_now
from tiktok_attribution.delivery import outages
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.visitor.reason import report
from tiktok_attribution.visitor.snapshot import NOBODY, suppress


@errors_without_values
def hold_back(objects: Iterable[Model], *, using: str | None = None) -> None:
    """Never record what these objects count for by now, though no event tells of it: rows of `bulk_create()`, of
    `QuerySet.update()` or of an import by SQL. Two statements an object; what is not counted yet may still count."""
    for obj in objects:
        hold_back_one(obj, using=using or obj._state.db or router.db_for_write(type(obj)))


def hold_back_one(obj: Any, *, using: str, but: Collection[int] = ()) -> None:
    """`but` are the ids of conversions that it counted for before. What can't be told is held back."""
    for conversion in registry.of(type(obj)):
        if id(conversion) in but or not any(channels_now(conversion.channels, conversion.event)):
            continue
        with outages.noticing(using), protected(using):
            if _happened(conversion, obj):
                suppress(conversion.event, NOBODY, conversion.model._meta.label, object_key(obj.pk), using=using)


def _happened(conversion: Any, obj: Any) -> bool:
    try:
        return bool(conversion.happened(obj))
    except Exception as error:
        report(error, "can't tell whether %r happened, so it is held back", conversion)
        return True
