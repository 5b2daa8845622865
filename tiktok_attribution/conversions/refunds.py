"""Notice refunds and reversals: note objects that were saved after they counted, and read their state.

`note_change` costs the save one INSERT. `state_of` reads an object as its declaration says; the worker calls it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Model

from tiktok_attribution import conf
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.money import amount
from tiktok_attribution.failures import report
from tiktok_attribution.models import ChangedObject
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.transactions import protected, together

MOST_CODE = 100
"""Characters of a voucher code that are kept."""

_MOST = Decimal(10**14 - 1)  # as the column holds it


# Decision: a save adds a row, and nothing is computed in it. The checkout's own first saves add none: their object has
# not counted before. The worker reads the object after the commit. What no signal tells (`QuerySet.update`, a refund
# in another table) is found by reading the objects of the last 60 days again once a day.
def note_change(obj: Model, *, using: str) -> None:
    """Note that an object that counts was saved again, in the transaction of the save. Raises nothing."""
    try:
        with together(using) as block:
            block.next_is_last()
            rows = ChangedObject(object_label=type(obj)._meta.label, object_pk=object_key(obj.pk))
            rows.save(using=using, force_insert=True)
    except Exception as error:
        if connections[using].in_atomic_block and connections[using].needs_rollback:
            raise
        report(error, "a change of a %s was not noted; the daily pass finds it", type(obj).__name__)


class ObjectState(NamedTuple):
    """What attribution reads of an object. `refunded` is the amount that was paid back so far."""

    refunded: Decimal
    is_reversed: bool
    is_first: bool | None
    code: str


@errors_without_values
def state_of(conversion: Conversion, obj: Any, *, currency: str, using: str) -> ObjectState | None:
    """Read refund, reversal, newness and voucher code of an object; None if the declaration raises an error.

    `currency` is that of its event: it says what a minor unit is.
    """
    try:
        with protected(using):
            code = conversion.code(obj)
            return ObjectState(
                refunded=_amount(conversion.refunded(obj), currency),
                is_reversed=bool(conversion.is_reversed(obj)),
                is_first=conversion.is_first(obj),
                code="" if code is None else str(code).strip()[:MOST_CODE],
            )
    except Exception as error:
        report(error, "refund, reversal, newness or code of %r could not be read", conversion)
        return None


def _amount(given: object, currency: str) -> Decimal:
    """Read an amount as events are: in minor units if VALUES_IN_MINOR_UNITS says so. A negative one counts as paid."""
    if given is None or given == "":
        return Decimal(0)
    read = amount(given, currency=currency, minor_units=conf.current().values_in_minor_units, signed=True)
    return min(abs(Decimal(repr(read))), _MOST)
