"""What the address of the list chooses: filters as a `Selection`, and what was searched for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date

from tiktok_attribution.admin.display.moments import here
from tiktok_attribution.delivery.selection import Selection
from tiktok_attribution.tallies.counting import epoch_of

STATE, NAME, PIXEL, HALVES, ATTEMPT = "state__exact", "name", "pixel", "halves", "attempt"
RECORDED, FROM, TO = "recorded", "from", "to"
PERSON, TERM = "person", "q"
DAYS = {"today": 0, "7": 6, "30": 29}
"""Days before today on which a period begins, at midnight of the current time zone."""
_PERSON = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`person` is a key of `events.matching.search_key`; None where nobody is looked for."""

    selection: Selection
    person: int | None = None
    term: str = ""

    @property
    def is_search(self) -> bool:
        """Whether an index names the rows, few as they are."""
        return bool(self.term) or self.person is not None


def chosen(parameters: Mapping[str, str]) -> Choice:
    """ValueError for what no link or form of the list makes."""
    since, until = _period(parameters)
    selection = Selection(
        state=parameters.get(STATE, ""),
        name=parameters.get(NAME, ""),
        pixel_code=parameters.get(PIXEL, ""),
        halves=parameters.get(HALVES, ""),
        attempt=parameters.get(ATTEMPT, ""),
        since=since,
        until=until,
    )
    return Choice(
        selection=selection, person=_person(parameters.get(PERSON, "")), term=parameters.get(TERM, "").strip()
    )


def person_text(key: int) -> str:
    """A person's key as the address has it."""
    return key.to_bytes(8, "big", signed=True).hex()


def _person(text: str) -> int | None:
    if not text:
        return None
    if not _PERSON.fullmatch(text):
        raise ValueError("no key of a person")
    return int.from_bytes(bytes.fromhex(text), "big", signed=True)


def _period(parameters: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Epoch seconds from and before; `to` is the last day of the period."""
    if parameters.get(RECORDED):
        return _midnight(_today() - timedelta(days=DAYS[_known(parameters[RECORDED])])), None
    first, last = (_day(parameters.get(key, "")) for key in (FROM, TO))
    since = None if first is None else _midnight(first)
    return since, None if last is None else _midnight(last + timedelta(days=1))


def _known(text: str) -> str:
    if text not in DAYS:
        raise ValueError("no such period")
    return text


def _day(text: str) -> date | None:
    day = parse_date(text) if text else None
    if text and (day is None or not 1990 <= day.year < 2200):
        raise ValueError("no such day")
    return day


def _today() -> date:
    return here(timezone.now()).date()


def _midnight(day: date) -> float:
    naive = datetime.combine(day, time.min)
    return epoch_of(timezone.make_aware(naive) if timezone.is_aware(timezone.now()) else naive)
