"""Read the site's objects behind recorded conversions: refunds, reversals, newness and voucher codes.

- `states_of` reads the objects of some conversions, in one statement for each model.
- `read_changed` reads those that were saved since (`ChangedObject`); `read_recent` goes over the conversions of the
  last 60 days once a day, because `QuerySet.update` sends no signal.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model

from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.attribution.passes import KeyPass, next_step
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.building import conversion_of
from tiktok_attribution.conversions.refunds import ObjectState, state_of
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import ChangedObject, RecordedConversion
from tiktok_attribution.models.visitor import object_key

DAILY = KeyPass("conversion-objects", 86_400)
DAILY_SECONDS = 60 * 86_400.0
"""How far back the daily pass looks for refunds that no signal reported."""
STEP_KEYS, PAGE_ROWS = 500, 500


class Row(NamedTuple):
    """A conversion and the database of its object; None to look in every one."""

    conversion: RecordedConversion
    using: str | None


def states_of(rows: Sequence[Row]) -> Iterator[tuple[RecordedConversion, ObjectState]]:
    """Yield conversions with the state of their objects, where the declaration says how to read it.

    An object that is gone is left out: the conversion keeps what was read last.
    """
    by_place: dict[tuple[str, str], list[RecordedConversion]] = defaultdict(list)
    labels = described_labels()
    for row, using in rows:
        if row.object_label in labels:
            for alias in outbox_databases() if using is None else [using]:
                by_place[row.object_label, alias].append(row)
    told: set[int] = set()
    for (label, alias), theirs in by_place.items():
        objects = objects_of(label, {row.object_pk for row in theirs}, using=alias)
        for row in theirs:
            obj = objects.get(row.object_pk)
            if obj is None or id(row) in told:
                continue
            conversion = conversion_of(row, obj)
            if conversion is None or not conversion.describes_object:
                continue
            state = state_of(conversion, obj, currency=row.currency, using=alias)
            if state is not None:
                told.add(id(row))
                yield row, state


def described_labels() -> set[str]:
    """Return the models whose objects tell anything of their conversions after the event."""
    return {one.model._meta.label for one in registry.every() if one.describes_object}


def objects_of(label: str, keys: Collection[str], *, using: str) -> dict[str, Any]:
    """Return the stored objects of a model by key, as rows name it. Keys that can't be one of this model are left out.

    A digest stands for a key that is too long or personal: no object is found by it.
    """
    try:
        model = apps.get_model(label)
        column = model._meta.pk
        wanted = [key for key in keys if column is not None and _fits(column, key)]
        found = model._base_manager.using(using).filter(pk__in=wanted)
        return {object_key(obj.pk): obj for obj in found}
    except (LookupError, ValueError, TypeError):
        return {}


def _fits(column: Any, key: str) -> bool:
    try:
        column.to_python(key)
    except (ValidationError, ValueError, TypeError):
        return False
    return True


def labels_of(model: type[Model]) -> list[str]:
    """Return the labels under which an object of this model may have counted: its own and those of its parents."""
    concrete = model._meta.concrete_model or model
    found = (model, concrete, *model._meta.get_parent_list())
    return list(dict.fromkeys(one._meta.label for one in found))


def read_changed(*, until: float, now: float | None = None) -> int:
    """Read the objects that were saved after they had counted. Return how many conversions changed."""
    changed = 0
    for using in outbox_databases():
        at = database_time(using) if now is None else now
        notes = ChangedObject.objects.using(using).order_by("pk")
        while page := list(notes[:PAGE_ROWS]):
            changed += _apply(_conversions_of(page, using), at)
            # By key: a save in the meantime has added a row of its own, which stays.
            ChangedObject.objects.using(using).filter(pk__in=[one.pk for one in page]).delete()
            if time.monotonic() >= until:
                break
    return changed


def _conversions_of(notes: Sequence[ChangedObject], using: str) -> list[Row]:
    keys = defaultdict(set)
    for note in notes:
        keys[note.object_label].add(note.object_pk)
    found = []
    for label, theirs in keys.items():
        try:
            labels = labels_of(apps.get_model(label))
        except LookupError:
            continue
        rows = RecordedConversion.objects.using(attribution_database())
        found += [Row(row, using) for row in rows.filter(object_pk__in=theirs, object_label__in=labels)]
    return found


def read_recent(*, until: float, now: float | None = None) -> int:
    """Go on with the daily pass over the conversions of the last 60 days. Return how many changed."""
    using = attribution_database()
    labels = {one.model._meta.label for one in registry.every() if one.may_be_refunded}
    if not labels:
        return 0
    at = database_time(using) if now is None else now
    rows = RecordedConversion.objects.using(using).order_by("pk")

    def above(key: int) -> int | None:
        return rows.filter(pk__gte=key, at__gte=at - DAILY_SECONDS).values_list("pk", flat=True).first()

    changed = 0
    while True:
        last = rows.reverse().values_list("pk", flat=True).first() or 0
        step = next_step(
            DAILY,
            using=using,
            now=at,
            keys=STEP_KEYS,
            begin=lambda: above(0) or 1,
            end=lambda end=last + 1: end,  # type: ignore[misc]
            above=above,
        )
        if step is None:
            return changed
        page = rows.filter(pk__gte=step[0], pk__lt=step[1], at__gte=at - DAILY_SECONDS, object_label__in=labels)
        changed += _apply([Row(row, None) for row in page], at)
        if time.monotonic() >= until:
            return changed


def _apply(rows: Sequence[Row], now: float) -> int:
    """Store what was refunded or reversed since. Return how many conversions changed."""
    changed = 0
    for row, state in states_of(rows):
        code = row.code or state.code
        if (state.refunded, state.is_reversed, code) == (row.refunded, row.is_reversed, row.code):
            continue
        was_paid = (state.refunded, state.is_reversed) == (row.refunded, row.is_reversed)
        refunded_at = row.refunded_at if was_paid else int(now) if state.refunded or state.is_reversed else None
        same = RecordedConversion.objects.using(attribution_database()).filter(pk=row.pk)
        changed += same.update(
            refunded=state.refunded,
            refunded_at=refunded_at,
            is_reversed=state.is_reversed,
            code=code,
            is_stale=True,
        )
    return changed
