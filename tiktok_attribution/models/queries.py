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
    """The state of an event's server event."""

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
    """What `EventBody.type_key` holds for the events of this name and pixel."""
    return digest(pixel_code, name)


def events_named(pixel_code: str, name: str, event_ids: Collection[str]) -> Q:
    """The events of this pixel and name with one of these ids, by the unique constraint."""
    return Q(type_key=type_key_of(pixel_code, name), event_id__in=event_ids)


def events_with(names: Iterable[tuple[str, str, str]]) -> Q:
    """The events of these (pixel code, name, event id); where there are none, no row fits."""
    event_ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pixel_code, name, event_id in names:
        event_ids[pixel_code, name].append(event_id)
    found = Q(pk__in=())
    for type_key, theirs in event_ids.items():
        found |= events_named(*type_key, theirs)
    return found


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
