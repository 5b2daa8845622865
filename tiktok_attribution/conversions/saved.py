"""An object that has just been saved: as the site holds it, and as its row tells."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.visitor.reason import report


class Saved:
    """`update_fields` are those of the save, None for a whole one."""

    def __init__(self, instance: Any, update_fields: Collection[str] | None, using: str) -> None:
        self.instance = instance
        self.update_fields = update_fields
        self.using = using

    @cached_property
    def seen(self) -> Any:
        """Good enough to tell whether it counts: the instance, unless a value of it is an expression."""
        return self.row if self._has_expressions else self.instance

    @cached_property
    def row(self) -> Any:
        """What the event is made of. After a save of some fields the others may be stale, or were never saved."""
        if self.update_fields is None and not self._has_expressions:
            return self.instance
        try:
            with protected(self.using):
                return stored(self.instance, using=self.using) or self.instance
        except Exception as error:
            report(error, "%s could not be read again", type(self.instance).__name__)
            return self.instance

    @cached_property
    def _has_expressions(self) -> bool:
        return has_expressions(self.instance)


def has_expressions(instance: Any) -> bool:
    """True for `order.total = F("total") + 1`: only the database knows the value."""
    given = instance.__dict__
    return any(hasattr(given.get(field.attname), "resolve_expression") for field in instance._meta.concrete_fields)


def stored(obj: Any, *, using: str) -> Any:
    """The object as the database has it, None if it isn't there."""
    return type(obj)._base_manager.using(using).filter(pk=obj.pk).first()
