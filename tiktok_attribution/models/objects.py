"""The site's objects, as conditions over the rows that tell of them. An object is a pair: its label, and its key as
`object_key` makes it. Where there are none, no row fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Q

from tiktok_attribution.models.fields import digest

Objects = Iterable[tuple[str, str]]


def events_of(objects: Objects) -> Q:
    """Events of one of these objects."""
    by_label = _by_label(objects)
    # The index knows the keys alone, of whatever label.
    return Q(object_digest__in={digest(key) for keys in by_label.values() for key in keys}) & _any_of(by_label)


def events_of_key(key: str) -> Q:
    """Events of an object with this key, of whatever model."""
    return Q(object_digest=digest(key), object_pk=key)


def snapshots_of(objects: Objects) -> Q:
    """Snapshots of one of these objects."""
    return _any_of(_by_label(objects))


def _any_of(by_label: dict[str, set[str]]) -> Q:
    found = Q(pk__in=())
    for label, keys in by_label.items():
        found |= Q(object_label=label, object_pk__in=keys)
    return found


def _by_label(objects: Objects) -> dict[str, set[str]]:
    """A condition a label and not one an object: SQLite refuses more than a thousand."""
    keys: dict[str, set[str]] = defaultdict(set)
    for label, key in objects:
        keys[label].add(key)
    return keys
