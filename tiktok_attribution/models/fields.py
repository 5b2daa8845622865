"""A moment that machines compare as people read it, exact text, digests to find by, and indexes over some rows only."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.ddl_references import Statement
from django.db.models.expressions import Combinable
from django.utils import timezone as django_timezone


def moment(epoch: float) -> datetime:
    """Epoch seconds as the kind of datetime that this site uses (aware, or naive local under USE_TZ=False)."""
    aware = datetime.fromtimestamp(epoch, tz=timezone.utc)
    return aware if django_timezone.now().tzinfo else django_timezone.make_naive(aware)


if TYPE_CHECKING:
    _CharField = models.CharField[str | int | Combinable, str]
    _BigIntegerField = models.BigIntegerField[int | None, int | None]
else:
    _CharField, _BigIntegerField = models.CharField, models.BigIntegerField  # generic in the stubs alone


class ExactCharField(_CharField):
    """Text that is compared by its bytes: MySQL and MariaDB would else take "order-a" and "order-A" for one."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Django's, with a binary collation where the default one folds case."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters


def digest(*texts: str) -> int | None:
    """The first 8 bytes of the SHA-256 of these texts as a signed number, to find a row by; None for no text."""
    whole = "\0".join(texts)
    return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:8], "big", signed=True) if whole else None


class DigestField(_BigIntegerField):
    """The digest of other columns of its row (a name, or several), set whenever the row is saved; `update()` leaves it
    alone. Two texts may share a digest, so whoever finds one among many by it compares the text too.
    """

    def __init__(self, *args: Any, of: str | tuple[str, ...] = "", **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **{"null": True, "editable": False, **kwargs})

    def deconstruct(self) -> Any:
        """With the columns that it is made of."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> int | None:
        """Made anew."""
        columns = (self.of,) if isinstance(self.of, str) else self.of
        value = digest(*(getattr(model_instance, column) for column in columns))
        setattr(model_instance, self.attname, value)
        return value


class PartialIndex(models.Index):
    """An index over the rows of its condition; over all rows on MySQL and MariaDB, which know no partial ones."""

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any) -> Statement:
        """The whole-table form where a database has no partial index, instead of Django's none."""
        if schema_editor.connection.features.supports_partial_indexes:
            return super().create_sql(model, schema_editor, using, **kwargs)
        return models.Index(fields=self.fields, name=self.name).create_sql(model, schema_editor, using, **kwargs)

    def remove_sql(self, model: type[models.Model], schema_editor: Any, **kwargs: Any) -> str:
        """The counterpart of `create_sql`."""
        if schema_editor.connection.features.supports_partial_indexes:
            return super().remove_sql(model, schema_editor, **kwargs)
        return models.Index(fields=self.fields, name=self.name).remove_sql(model, schema_editor, **kwargs)
