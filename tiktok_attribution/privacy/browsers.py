"""Find, export and erase the touches and links of a person's browsers.

A person's browsers are those whose keys stand beside their events, snapshots and conversions, those that are linked to
one of their matching keys, and all that are linked to the same person as one of these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from tiktok_attribution.attribution.links import any_persons_of, attribution_database
from tiktok_attribution.delivery.retention import touch_databases
from tiktok_attribution.models import OutboxEvent, RecordedConversion, Touch, VisitorLink, VisitorSnapshot, moment
from tiktok_attribution.privacy.person import Found, Person, recorded_conversions
from tiktok_attribution.touches.withdrawal import delete_touches

PAGE_ROWS = 500


def browsers_of(who: Person, found: Mapping[str, Found]) -> set[UUID]:
    """Return the keys of a person's browsers: by the rows that were found in each database, then by their links.

    Call it before the rows are erased, because it reads the keys from them.
    """
    keys: set[UUID | None] = set()
    for using, rows in found.items():
        events, snapshots = OutboxEvent.objects.using(using), VisitorSnapshot.objects.using(using)
        for pks in _pages(rows.events):
            keys.update(events.with_keys(pks).values_list("visitor_key", flat=True))
        for pks in _pages(rows.snapshots):
            keys.update(snapshots.filter(pk__in=pks).values_list("visitor_key", flat=True))
    conversions = RecordedConversion.objects.using(attribution_database())
    for pks in _pages(recorded_conversions(who, found)):
        keys.update(conversions.filter(pk__in=pks).values_list("visitor_key", flat=True))
    known = {key for key in keys if key is not None}
    for using in touch_databases():
        known |= set(_linked(known, any_persons_of(who.hashes), using))
    return known


def _linked(keys: Collection[UUID], persons: Collection[UUID], using: str) -> Iterator[UUID]:
    """Yield the keys of the browsers that are linked to the same persons. One hop, as conversions are joined."""
    links, theirs = VisitorLink.objects.using(using), set(persons)
    for some in _pages(keys):
        theirs |= set(links.filter(visitor_key__in=some).values_list("person", flat=True))
    for few in _pages(theirs):
        yield from links.filter(person__in=few).values_list("visitor_key", flat=True)


def erase_browsers(browsers: Collection[UUID], *, dry: bool = False) -> dict[str, int]:
    """Delete touches and links of these browsers. Return how many there were, by what they are."""
    counts = {"browsers": len(browsers), "touches": 0, "links": 0}
    for using in touch_databases():
        for keys in _pages(browsers):
            counts["touches"] += Touch.objects.using(using).filter(visitor_key__in=keys).count()
            counts["links"] += VisitorLink.objects.using(using).filter(visitor_key__in=keys).count()
            if not dry:
                delete_touches(keys, using=using)
    return counts


def export_browsers(browsers: Collection[UUID]) -> dict[str, Any]:
    """Return a copy of the touches and links of these browsers. Values are JSON types."""
    rows: dict[str, list[Any]] = {"touches": [], "links": []}
    for using in touch_databases():
        for keys in _pages(browsers):
            touches = Touch.objects.using(using).filter(visitor_key__in=keys).order_by("at")
            links = VisitorLink.objects.using(using).filter(visitor_key__in=keys).order_by("at")
            rows["touches"] += map(_plain, touches.values())
            rows["links"] += map(_plain, links.values())
    return rows


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it, without empty columns and without its key."""
    kept = {name: value for name, value in row.items() if value not in ("", None) and name != "id"}
    kept["at"] = moment(row["at"]).isoformat()
    return {name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in kept.items()}


def _pages(keys: Collection[Any]) -> Iterator[list[Any]]:
    """Split keys into parts that fit into one statement of every database engine."""
    listed = list(keys)
    return (listed[at : at + PAGE_ROWS] for at in range(0, len(listed), PAGE_ROWS))
