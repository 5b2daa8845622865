"""Fields and indexes of the models, alike on every database.

`ExactCharField` compares text by its bytes, `DigestField` finds a row by a number of 8 bytes, and `PartialIndex` covers
some rows only. `moment` converts epoch seconds to a datetime.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.ddl_references import Statement
from django.db.models.expressions import Combinable
from django.utils import timezone as django_timezone


# Decision: moments that machines compare (`due_at`, `leased_until`, `event_time`) are epoch seconds. They are the same
# under USE_TZ=False, and no hour is missing or doubled in spring and autumn.
def moment(epoch: float) -> datetime:
    """Convert epoch seconds to the datetime that this site uses: aware, or naive local under USE_TZ=False."""
    aware = datetime.fromtimestamp(epoch, tz=timezone.utc)
    return aware if django_timezone.now().tzinfo else django_timezone.make_naive(aware)


if TYPE_CHECKING:
    _CharField = models.CharField[str | int | Combinable, str]
    _BigIntegerField = models.BigIntegerField[int | None, int | None]
else:
    _CharField, _BigIntegerField = models.CharField, models.BigIntegerField  # generic in the type stubs only


class ExactCharField(_CharField):
    """Text that is compared by its bytes. MySQL and MariaDB would otherwise treat "order-a" and "order-A" as equal."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Return Django's parameters, with a binary collation where the default collation ignores case."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters


def digest(*texts: str) -> int | None:
    """Return the first 8 bytes of the texts' SHA-256 as a signed number, to find a row by; None for no text."""
    whole = "\0".join(texts)
    return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:8], "big", signed=True) if whole else None


class DigestField(_BigIntegerField):
    """The digest of one or more columns of its row, set whenever the row is saved; `update()` does not set it.

    Two texts may have the same digest, so a lookup by digest must compare the text too.
    """

    def __init__(self, *args: Any, of: str | tuple[str, ...] = "", **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **{"null": True, "editable": False, **kwargs})

    def deconstruct(self) -> Any:
        """Include the names of the columns that it is computed from."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> int | None:
        """Compute the digest."""
        columns = (self.of,) if isinstance(self.of, str) else self.of
        value = digest(*(getattr(model_instance, column) for column in columns))
        setattr(model_instance, self.attname, value)
        return value


class PartialIndex(models.Index):
    """An index over the rows that meet its condition; over all rows on MySQL and MariaDB, which have none."""

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any) -> Statement:
        """Create an index over the whole table if the database has no partial indexes; Django would create none."""
        if schema_editor.connection.features.supports_partial_indexes:
            return super().create_sql(model, schema_editor, using, **kwargs)
        return models.Index(fields=self.fields, name=self.name).create_sql(model, schema_editor, using, **kwargs)

    def remove_sql(self, model: type[models.Model], schema_editor: Any, **kwargs: Any) -> str:
        """Remove what `create_sql` created."""
        if schema_editor.connection.features.supports_partial_indexes:
            return super().remove_sql(model, schema_editor, **kwargs)
        return models.Index(fields=self.fields, name=self.name).remove_sql(model, schema_editor, **kwargs)
