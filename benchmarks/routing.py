"""Points the app's tables at one of the databases of different size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import Model

_alias: ContextVar[str] = ContextVar("benchmarks_alias", default="default")


class SizedRouter:
    """Everything is in "default"; the app's own models are where `reading_from` points."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return _alias.get() if model._meta.app_label == "tiktok_attribution" else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == _alias.get()


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)
