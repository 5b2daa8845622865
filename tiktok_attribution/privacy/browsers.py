"""Find, export and erase what attribution holds of a person: the touches of their browsers, and their conversions.

A person's browsers are those whose keys stand beside their events and snapshots, and all that are linked to the same
person. A conversion stays as a figure: without browser, person, touches and lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from tiktok_attribution.delivery.retention import touch_databases
from tiktok_attribution.models import (
    ConversionTouch,
    OutboxEvent,
    RecordedConversion,
    Touch,
    VisitorLink,
    VisitorSnapshot,
    moment,
)
from tiktok_attribution.models.fields import digest
from tiktok_attribution.privacy.person import Found
from tiktok_attribution.touches.withdrawal import delete_touches

PAGE_ROWS = 500
ERASED = "erased"
"""`RecordedConversion.unjoined` of a conversion whose person was erased."""


@dataclass(slots=True)
class Browsers:
    """The keys of a person's browsers, and what names their conversions: objects (label, key) and events (name, id)."""

    keys: set[UUID] = field(default_factory=set)
    objects: set[tuple[str, str]] = field(default_factory=set)
    events: set[tuple[str, str]] = field(default_factory=set)

    def add(self, key: UUID | None) -> None:
        """Add the key of a browser, if there is one."""
        if key is not None:
            self.keys.add(key)


def browsers_of(found: Mapping[str, Found], objects: Iterable[tuple[str, str]]) -> Browsers:
    """Return the browsers of a person: by the rows that were found in each database, then by their links.

    Call it before the rows are erased, because it reads the keys from them.
    """
    whole = Browsers(objects=set(objects))
    for using, rows in found.items():
        events = OutboxEvent.objects.using(using)
        for pks in _pages(rows.events):
            for key, label, pk, name, event_id in events.with_keys(pks).values_list(
                "visitor_key", "object_label", "object_pk", "name", "event_id"
            ):
                whole.add(key)
                whole.objects |= {(label, pk)} if label else set()
                whole.events.add((name, event_id))
        snapshots = VisitorSnapshot.objects.using(using)
        for pks in _pages(rows.snapshots):
            for key, label, pk in snapshots.filter(pk__in=pks).values_list("visitor_key", "object_label", "object_pk"):
                whole.add(key)
                whole.objects.add((label, pk))
    for using in touch_databases():
        for conversions in _named(whole, using):
            for key in conversions.values_list("visitor_key", flat=True):
                whole.add(key)
    for using in touch_databases():
        whole.keys |= set(_linked(whole.keys, using))
    return whole


def _linked(keys: Collection[UUID], using: str) -> Iterator[UUID]:
    """Yield the keys of the browsers that are linked to the same person. One hop, as conversions are joined."""
    links = VisitorLink.objects.using(using)
    for some in _pages(keys):
        persons = set(links.filter(visitor_key__in=some).values_list("person", flat=True))
        for few in _pages(persons):
            yield from links.filter(person__in=few).values_list("visitor_key", flat=True)


def _named(whole: Browsers, using: str) -> Iterator[QuerySet[RecordedConversion]]:
    """Yield the conversions of these objects and events, page by page."""
    conversions = RecordedConversion.objects.using(using)
    for objects in _pages(whole.objects):
        condition = Q(pk__in=())
        for label, pk in objects:
            condition |= Q(object_pk=pk, object_label=label)
        yield conversions.filter(condition)
    for events in _pages(whole.events):
        condition = Q(pk__in=())
        for name, event_id in events:
            condition |= Q(event_digest=digest(name, event_id), event_id=event_id, name=name)
        yield conversions.filter(condition)


def _conversions(whole: Browsers, using: str) -> list[int]:
    """Return the keys of the person's conversions, by their objects and events.

    Not by browser: that may be shared, and another person's conversion is not theirs.
    """
    found: set[int] = set()
    for conversions in _named(whole, using):
        found |= set(conversions.values_list("pk", flat=True))
    return sorted(found)


def erase_browsers(whole: Browsers, *, dry: bool = False) -> dict[str, int]:
    """Erase what attribution holds of the person. Return how many rows there were, by what they are."""
    # Decision: the conversion's row and the sums of the report stay, as figures without a person. Its copied touches
    # go. It is not marked as stale: computing it again would change the sums of days that are closed.
    counts = {"browsers": len(whole.keys), "touches": 0, "links": 0, "conversions": 0}
    for using in touch_databases():
        for keys in _pages(whole.keys):
            counts["touches"] += Touch.objects.using(using).filter(visitor_key__in=keys).count()
            counts["links"] += VisitorLink.objects.using(using).filter(visitor_key__in=keys).count()
            if not dry:
                delete_touches(keys, using=using)
        conversions = _conversions(whole, using)
        counts["conversions"] += len(conversions)
        for pks in [] if dry else _pages(conversions):
            with transaction.atomic(using=using):
                ConversionTouch.objects.using(using).filter(conversion__in=pks).delete()
                RecordedConversion.objects.using(using).filter(pk__in=pks).update(
                    visitor_key=None, persons="{}", lines="[]", code="", unjoined=ERASED, is_stale=False
                )
    return counts


def export_browsers(whole: Browsers) -> dict[str, Any]:
    """Return a copy of what attribution holds of the person."""
    rows: dict[str, list[Any]] = {"touches": [], "links": [], "conversions": []}
    for using in touch_databases():
        for keys in _pages(whole.keys):
            for touch in Touch.objects.using(using).filter(visitor_key__in=keys).order_by("at").values():
                rows["touches"].append(_plain(touch))
            for link in VisitorLink.objects.using(using).filter(visitor_key__in=keys).order_by("at").values():
                rows["links"].append(_plain(link))
        for pks in _pages(_conversions(whole, using)):
            for conversion in RecordedConversion.objects.using(using).filter(pk__in=pks).order_by("at").values():
                touches = ConversionTouch.objects.using(using).filter(conversion=conversion["id"]).order_by("at")
                rows["conversions"].append({**_plain(conversion), "touches": [_plain(one) for one in touches.values()]})
    return rows


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it, without empty columns and without what finds rows."""
    kept = {name: value for name, value in row.items() if value not in ("", None) and name not in ("id", "key")}
    kept["at"] = moment(row["at"]).isoformat()
    return {name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in kept.items()}


def _pages(keys: Collection[Any]) -> Iterator[list[Any]]:
    """Split keys into parts that fit into one statement of every database engine."""
    listed = list(keys)
    return (listed[at : at + PAGE_ROWS] for at in range(0, len(listed), PAGE_ROWS))
