"""The states of an event, and conditions over the rows of events and snapshots; `OutboxQuerySet` has names for them.

An object of the site is a pair: its label, and its key as `models.visitor.object_key` makes it. A condition without
any event or object fits no row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import digest


class State(models.TextChoices):
    """What became of an event on its server channel."""

    WAITING = "waiting", _("waiting")
    AWAITING_CONSENT = "awaiting_consent", _("awaiting consent")
    DELIVERED = "delivered", _("delivered")
    INVALID = "invalid", _("invalid")
    REJECTED = "rejected", _("rejected by TikTok")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")
    BROWSER_ONLY = "browser_only", _("browser only")


FAILED_STATES = (State.INVALID, State.REJECTED, State.EXPIRED)
"""States that a person should look at."""
MAY_CHANGE = (State.WAITING, State.AWAITING_CONSENT, State.BROWSER_ONLY)
"""States in which an event that is not finished may be."""


def type_key_of(pixel_code: str, name: str) -> int | None:
    """Return the value of `EventBody.type_key` for the events of this pixel and name."""
    return digest(pixel_code, name)


def events_named(pixel_code: str, name: str, event_ids: Collection[str]) -> Q:
    """Select the events of this pixel and name that have one of these ids, by the unique constraint."""
    return Q(type_key=type_key_of(pixel_code, name), event_id__in=event_ids)


def events_with(names: Iterable[tuple[str, str, str]]) -> Q:
    """Select the events with these (pixel code, name, event id). No names select no event."""
    event_ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pixel_code, name, event_id in names:
        event_ids[pixel_code, name].append(event_id)
    found = Q(pk__in=())
    for type_key, theirs in event_ids.items():
        found |= events_named(*type_key, theirs)
    return found


Objects = Iterable[tuple[str, str]]


def events_of(objects: Objects) -> Q:
    """Select the events of one of these objects."""
    by_label = _by_label(objects)
    # The index holds the keys alone, for every label.
    return Q(object_digest__in={digest(key) for keys in by_label.values() for key in keys}) & _any_of(by_label)


def events_of_key(key: str) -> Q:
    """Select the events of an object with this key, of any model."""
    return Q(object_digest=digest(key), object_pk=key)


def snapshots_of(objects: Objects) -> Q:
    """Select the snapshots of these objects."""
    return _any_of(_by_label(objects))


def _any_of(by_label: dict[str, set[str]]) -> Q:
    found = Q(pk__in=())
    for label, keys in by_label.items():
        found |= Q(object_label=label, object_pk__in=keys)
    return found


def _by_label(objects: Objects) -> dict[str, set[str]]:
    """Group the keys by label: one condition for each label, because SQLite refuses more than a thousand conditions."""
    keys: dict[str, set[str]] = defaultdict(set)
    for label, key in objects:
        keys[label].add(key)
    return keys
