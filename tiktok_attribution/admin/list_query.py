"""Read the address of the event list: the event filter, a search, and the place in the list."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date

from tiktok_attribution.admin.base import each_once, unreadable
from tiktok_attribution.admin.formatting import here
from tiktok_attribution.delivery.event_search import CHANNELS as KNOWN_CHANNELS
from tiktok_attribution.delivery.event_search import WARNED, EventFilter
from tiktok_attribution.models import State
from tiktok_attribution.monitoring.hourly_statistics import epoch_of

STATE, NAME, PIXEL, CHANNELS, ATTEMPT = "state__exact", "name", "pixel", "channels", "attempt"
RECORDED, FROM, TO = "recorded", "from", "to"
PERSON, TERM = "person", "q"
BEFORE, AFTER = "before", "after"
"""Show only keys below, or above, this one."""
KNOWN = frozenset({STATE, NAME, PIXEL, CHANNELS, ATTEMPT, RECORDED, FROM, TO, PERSON, TERM, BEFORE, AFTER})
DAYS = {"today": 0, "7": 6, "30": 29}
"""Number of days before today on which a period begins, at midnight of the current time zone."""
_PERSON = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """The address of the event list, as it was read.

    The list, the export, the count in a confirmation and the background job all use this one reading. So none of them
    can apply fewer conditions than another. `person` is a key of `events.hashing.search_key`; None if no person is
    searched for.
    """

    event_filter: EventFilter
    person: int | None = None
    term: str = ""
    before: int | None = None
    after: int | None = None

    @property
    def is_search(self) -> bool:
        """Whether this is a search: an index finds the rows, and they are few."""
        return bool(self.term) or self.person is not None

    @property
    def for_job(self) -> EventFilter | None:
        """The filter that a background job stores; None for a search, whose few rows an action changes directly."""
        return None if self.is_search else self.event_filter


def read_query(parameters: QueryDict) -> ListQuery:
    """Read the address. Raises InvalidParameter for a value that no link or form of the list makes."""
    said = each_once(parameters, KNOWN)
    since, until = _period(said)
    return ListQuery(
        event_filter=EventFilter(
            state=_one_of((*State.values, WARNED), said, STATE),
            name=said.get(NAME, ""),
            pixel_code=said.get(PIXEL, ""),
            channels=_one_of(KNOWN_CHANNELS, said, CHANNELS),
            attempt=said.get(ATTEMPT, ""),
            since=since,
            until=until,
        ),
        person=_person(said.get(PERSON, "")),
        term=said.get(TERM, "").strip(),
        before=_key(said, BEFORE),
        after=_key(said, AFTER),
    )


def person_text(key: int) -> str:
    """Return a person's key in the form that the address has."""
    return key.to_bytes(8, "big", signed=True).hex()


def _one_of(known: Collection[str], said: Mapping[str, str], name: str) -> str:
    value = said.get(name, "")
    if value and value not in known:
        raise unreadable(name)
    return value


def _person(text: str) -> int | None:
    if not text:
        return None
    if not _PERSON.fullmatch(text):
        raise unreadable(PERSON)
    return int.from_bytes(bytes.fromhex(text), "big", signed=True)


def _key(said: Mapping[str, str], name: str) -> int | None:
    text = said.get(name, "")
    if text and not _KEY.fullmatch(text):
        raise unreadable(name)
    return int(text) if text else None


def _period(said: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Return the period in epoch seconds, from and before. The parameter `to` is the last day of the period."""
    recorded = _one_of(DAYS, said, RECORDED)
    first, last = (_day(said, name) for name in (FROM, TO))
    if recorded and (first or last):
        raise unreadable(RECORDED)  # no link makes both, and only one of the two could apply
    if recorded:
        return _midnight(_today() - timedelta(days=DAYS[recorded])), None
    since = None if first is None else _midnight(first)
    return since, None if last is None else _midnight(last + timedelta(days=1))


def _day(said: Mapping[str, str], name: str) -> date | None:
    text = said.get(name, "")
    try:
        day = parse_date(text) if text else None
    except ValueError:
        day = None
    if text and (day is None or not 1990 <= day.year < 2200):
        raise unreadable(name)
    return day


def _today() -> date:
    return here(timezone.now()).date()


def _midnight(day: date) -> float:
    naive = datetime.combine(day, time.min)
    return epoch_of(timezone.make_aware(naive) if timezone.is_aware(timezone.now()) else naive)
