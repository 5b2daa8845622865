"""Fetch spend by the Marketing API and store it: every advertiser with a token, the last 35 days, once a day.

TikTok changes the figures of past days for weeks, so each fetch replaces them. A day that comes back with less than is
known is kept as it is, and said.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone as django_timezone

from tiktok_attribution import conf
from tiktok_attribution.attribution import spend
from tiktok_attribution.attribution.spend_columns import FIGURES, IDS, LEVELS, NAMES
from tiktok_attribution.attribution.spend_row import MOST_NAME, SpendRow
from tiktok_attribution.attribution_settings import Advertiser
from tiktok_attribution.delivery import turns
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.money import currency_code
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.marketing.client import Fate, MarketingClient, token_of
from tiktok_attribution.marketing.reports import (
    AccountInfo,
    FetchFailed,
    ReportRow,
    account_info,
    fetch_report,
)
from tiktok_attribution.models import AdSpend, Heartbeat, SpendImport

logger = logging.getLogger("tiktok_attribution")

TRAILING_DAYS = 35
"""A 28-day window, and a week for TikTok's lag."""
AGAIN_SECONDS = 3600.0
"""Seconds between two tries of the background work: more than the 5 minutes of a rate limit by the minute, and few
enough tries where the limit is the day's."""
FRESH_SECONDS = 20 * 3600.0
"""An account that was fetched, or that a person must fix, is left alone for so long."""
ROUND_SECONDS = 60.0
"""No further account is begun after so long, so that `tiktok_deliver --loop` goes on sending events."""
_MOST_DIGITS = 30
_MOST_ID = 32
_STEP = Decimal("0.000001")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?: 00:00:00)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What came of fetching one account. `fate` OK: all of it is stored. `notes` are for a person."""

    advertiser: str
    fate: Fate
    rows: int = 0
    notes: tuple[str, ...] = ()


def fetchable() -> list[Advertiser]:
    """Return the advertisers of MARKETING_API that have a token."""
    return [one for one in conf.current().marketing_api.values() if one.token]


# Background work ------------------------------------------------------------------------------------------------------


def is_due() -> bool:
    """Return True for one process, once an hour, if an account waits to be fetched."""
    settings = conf.current()
    if not settings.enabled or not fetchable():
        return False
    if not turns.beat("spend-fetch", using=write_database(), every=AGAIN_SECONDS):
        return False
    return any(True for _one in _waiting())


def fetch_waiting() -> list[Fetched]:
    """Fetch the accounts that were not fetched in the last 20 hours, for a minute at most. Failures are logged."""
    started, results = time.monotonic(), []
    for one in list(_waiting()):
        if time.monotonic() - started > ROUND_SECONDS:
            break
        result = fetch(one)
        results.append(result)
        for note in result.notes:
            level = logging.INFO if result.fate is Fate.OK else logging.ERROR
            logger.log(level, "tiktok: spend of %s: %s", one.advertiser_id, note)
    return results


def _waiting() -> Iterator[Advertiser]:
    since = django_timezone.now() - timedelta(seconds=FRESH_SECONDS)
    recent = SpendImport.objects.filter(source=spend.API, level=LEVELS[-1], created_at__gte=since)
    done = set(recent.values_list("advertiser", flat=True))
    names = {_stopped_name(one.advertiser_id): one.advertiser_id for one in fetchable()}
    stopped = Heartbeat.objects.filter(pk__in=names, seen_at__gte=time.time() - FRESH_SECONDS)
    done |= {names[name] for name in stopped.values_list("pk", flat=True)}
    return (one for one in fetchable() if one.advertiser_id not in done)


def _stopped_name(advertiser: str) -> str:
    return f"spend-no:{advertiser}"[:32]


# One account ----------------------------------------------------------------------------------------------------------


@errors_without_values
def fetch(advertiser: Advertiser, *, wait: Callable[[float], object] = time.sleep) -> Fetched:
    """Fetch the last 35 days of one account by campaign, ad group and ad, and store each level. Raises no FetchFailed.

    A level that came whole is stored even where a later one fails; `attribution.spend` then says which one counts.
    """
    settings, key = conf.current(), advertiser.advertiser_id
    notes: list[str] = []
    count = 0
    try:
        token = _token(advertiser)
        with MarketingClient(settings.marketing_api_url, settings.timeout_seconds) as client:
            info = account_info(client, token, key, wait=wait)
            notes += _differences(advertiser, info)
            today = _today(info.time_zone or advertiser.time_zone)
            period = today - timedelta(days=TRAILING_DAYS - 1), today
            for level in LEVELS:
                found = fetch_report(client, token, key, level, period, wait=wait)
                stored, told = _store(advertiser, level, found, period, info.currency or advertiser.currency)
                count += stored
                notes += told
    except FetchFailed as error:
        if error.fate is Fate.STOPPED:
            Heartbeat.objects.update_or_create(pk=_stopped_name(key), defaults={"seen_at": time.time()})
        return Fetched(advertiser=key, fate=error.fate, rows=count, notes=(*notes, _in_words(error)))
    Heartbeat.objects.filter(pk=_stopped_name(key)).delete()
    return Fetched(advertiser=key, fate=Fate.OK, rows=count, notes=tuple(notes))


def _token(advertiser: Advertiser) -> str:
    token = token_of(advertiser)
    if not token:
        raise FetchFailed(Fate.STOPPED, "It has no token.")
    return token


def _in_words(error: FetchFailed) -> str:
    advice = {
        Fate.STOPPED: "Check the token in MARKETING_API and its permission Reporting; TikTok may have revoked it.",
        Fate.LIMITED: "TikTok's rate limit is reached. Nothing is lost: it is fetched again in an hour.",
        Fate.AGAIN: "It is fetched again in an hour.",
        Fate.REFUSED: "Upgrade this app, or import a CSV.",
    }
    return f"{error} {advice.get(error.fate, '')}".strip()


def _today(zone: tzinfo | None) -> date:
    return datetime.now(timezone.utc).astimezone(zone or django_timezone.get_default_timezone()).date()


def _differences(advertiser: Advertiser, info: AccountInfo) -> list[str]:
    """Say where the settings and the account disagree: then days or currencies would be wrong."""
    notes = []
    if info.time_zone is not None:
        now = datetime.now(timezone.utc)
        known = advertiser.time_zone or django_timezone.get_default_timezone()
        if now.astimezone(known).utcoffset() != now.astimezone(info.time_zone).utcoffset():
            text = "Its days are those of %s. Set 'time_zone' to that zone in MARKETING_API, or its days are wrong."
            notes.append(text % info.zone_name)
    if advertiser.currency and info.currency and advertiser.currency != info.currency:
        notes.append(f"Its currency is {info.currency}, and MARKETING_API says {advertiser.currency}.")
    return notes


def _store(
    advertiser: Advertiser, level: str, found: Sequence[ReportRow], period: tuple[date, date], currency: str
) -> tuple[int, list[str]]:
    rows, unread = _rows(found, level, period, currency)
    kept = _shrunk(advertiser.advertiser_id, level, rows, period) | unread
    shrunk = sorted(kept - unread)
    notes = []
    if unread:
        notes.append(f"{len(unread)} days by {level} have a row that can't be read. They stay as they were.")
    if shrunk:
        days = ", ".join(day.isoformat() for day in shrunk[:5])
        text = "TikTok's report by %s has less than before for %d days (%s). They stay as they were."
        notes.append(text % (level, len(shrunk), days))
    taken = [row for row in rows if row.day not in kept]
    spend.import_rows(advertiser.advertiser_id, level, taken, origin=spend.Origin(source=spend.API), period=period)
    return len(taken), notes


# Decision: a day that loses an object which had spend is kept as it was. TikTok leaves out deleted objects unless it is
# asked for them, and a report may come while it is being made. A sum that only becomes lower is a correction and is
# taken. A person who knows better imports a CSV, which always replaces.
def _shrunk(advertiser: str, level: str, rows: Collection[SpendRow], period: tuple[date, date]) -> set[date]:
    """Return the days of which an earlier fetch knew an object with spend that is now missing."""
    counting = AdSpend.objects.filter(is_current=True, advertiser=advertiser, level=level, day__range=period)
    known = counting.filter(spend__gt=0, spend_import__source=spend.API)
    new = {(row.day, getattr(row, IDS[level])) for row in rows}
    return {day for day, key in known.values_list("day", IDS[level]) if (day, key) not in new}


def _rows(
    found: Sequence[ReportRow], level: str, period: tuple[date, date], currency: str
) -> tuple[list[SpendRow], set[date]]:
    """Return the rows that can be read, and the days that have one which can't."""
    rows: dict[tuple[date, str], SpendRow] = {}
    unread: set[date] = set()
    for one in found:
        day = _day(one.day)
        if day is None or not period[0] <= day <= period[1]:
            unread.add(day or period[1])
            continue
        row = _row(one, level, day, currency)
        if row is None:
            unread.add(day)
        else:
            rows[day, one.object_id] = row
    return list(rows.values()), unread


def _row(one: ReportRow, level: str, day: date, currency: str) -> SpendRow | None:
    amount = _number(one.metrics.get("spend", ""))
    if amount is None or amount < 0 or not re.fullmatch(r"[0-9]{1,32}", one.object_id):
        return None
    try:
        code = currency_code(one.metrics.get("currency", "").strip("- ") or currency)
    except InvalidEvent:
        return None
    objects: dict[str, Any] = {}
    for name in (*IDS.values(), *NAMES.values()):
        text = one.metrics.get(name, "").strip()
        objects[name] = "" if text == "-" else text[: _MOST_ID if name in IDS.values() else MOST_NAME]
    objects[IDS[level]] = one.object_id
    figures = {name: _number(one.metrics.get(name, "")) for name in FIGURES}
    return SpendRow(
        day=day,
        spend=amount.quantize(_STEP),
        currency=code,
        impressions=_count(one.metrics.get("impressions", "")),
        clicks=_count(one.metrics.get("clicks", "")),
        figures={name: format(number, "f") for name, number in figures.items() if number is not None},
        **objects,
    )


def _day(text: str) -> date | None:
    found = _DAY.fullmatch(text)
    with suppress(ValueError):
        return date.fromisoformat(found[1]) if found else None
    return None


def _number(text: str) -> Decimal | None:
    """Read a metric: a decimal text; None for "-", which TikTok writes where a metric does not apply."""
    try:
        number = Decimal(text) if len(text) <= _MOST_DIGITS else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() and abs(number) < 10**12 else None


def _count(text: str) -> int | None:
    number = _number(text)
    return int(number) if number is not None and 0 <= number == number.to_integral_value() else None
