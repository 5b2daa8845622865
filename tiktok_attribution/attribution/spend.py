"""Store spend and read it: imports that replace days and can be undone, and the level that counts.

- `import_rows` and `undo` change what counts, each in one transaction.
- `effective_spend` returns the rows that count, for the report; `known_until` the last whole day of each advertiser.
- `match_names` finds the ids of names that landing addresses carry, where a name belongs to one object.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import router, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Sum
from django.utils import timezone as django_timezone
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.attribution.spend_columns import IDS, LEVELS, NAMES
from tiktok_attribution.attribution.spend_row import SpendRow, plain
from tiktok_attribution.exceptions import TikTokAttributionError
from tiktok_attribution.models import AdSpend, Heartbeat, Level, SpendImport

CSV, API = "csv", "api"
FINAL_DAYS = 30
"""Days for which a replaced or undone row is kept, so that an import can be undone."""
COMPLETE = Decimal("0.99")
"""The part of a coarser level's spend that a finer level must reach to count as complete."""
_AT_ONCE = 1000
_MOST_FIGURE = 40


class CannotUndo(TikTokAttributionError, ValueError):
    """An import that can't be undone. The message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where rows come from, for the import's row: "csv" or "api", the person, the file's name and SHA-256."""

    source: str
    user_label: str = ""
    file_name: str = ""
    file_hash: str = ""


# Decision: an import replaces the days for which it has rows, at its level. A day without a row in a file may have had
# no spend, or may be missing from the export; keeping what was known is the smaller harm, and `known_until` goes by the
# import's period. Replaced rows are kept for FINAL_DAYS. Those of an earlier fetch are deleted at once: a fetch repeats
# 35 days every day, and only TikTok's last word counts.
def import_rows(
    advertiser: str,
    level: str,
    rows: Collection[SpendRow],
    *,
    origin: Origin,
    period: tuple[date, date] | None = None,
    using: str = "",
) -> SpendImport:
    """Store rows of one advertiser and level, and replace what counted for their days there.

    `period` is what was asked for (first and last day), for days without rows; without it the rows' own days. Raises
    ValueError if there are neither rows nor a period. Two imports of one advertiser wait for each other.
    """
    using = using or router.db_for_write(SpendImport)
    days = sorted({row.day for row in rows})
    if not days and period is None:
        raise ValueError("an import has rows or a period")
    first, last = period or (days[0], days[-1])
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, Decimal(0)) + row.spend
    with _one_at_a_time(advertiser, using):
        made = SpendImport.objects.using(using).create(
            advertiser=advertiser,
            level=level,
            source=origin.source,
            user_label=origin.user_label[:150],
            file_name=origin.file_name[-200:],
            file_hash=origin.file_hash,
            first_day=min(first, *days) if days else first,
            last_day=max(last, *days) if days else last,
            rows=len(rows),
            sums=json.dumps({currency: plain(amount) for currency, amount in sorted(sums.items())}),
        )
        _replace(made, days, using)
        stored = (_stored(made, row) for row in rows)
        AdSpend.objects.using(using).bulk_create(stored, batch_size=_AT_ONCE)
        _forget_final(advertiser, using)
    return made


def _replace(made: SpendImport, days: Sequence[date], using: str) -> None:
    same = AdSpend.objects.using(using).filter(advertiser=made.advertiser, level=made.level)
    for some in _chunks(days):
        counted = same.filter(day__in=some, is_current=True)
        if made.source == API:
            # What an earlier fetch had replaced by itself comes back if this one is undone.
            earlier = SpendImport.objects.using(using).filter(advertiser=made.advertiser, source=API)
            keys = list(earlier.exclude(pk=made.pk).values_list("pk", flat=True))
            same.filter(day__in=some, replaced_by__in=keys).update(replaced_by=made)
            counted.filter(spend_import__in=keys).delete()
        counted.update(is_current=False, replaced_by=made)


def _stored(made: SpendImport, row: SpendRow) -> AdSpend:
    figures = {name: text[:_MOST_FIGURE] for name, text in row.figures.items()}
    return AdSpend(
        spend_import=made,
        advertiser=made.advertiser,
        level=made.level,
        day=row.day,
        campaign_id=row.campaign_id,
        campaign_name=row.campaign_name,
        adgroup_id=row.adgroup_id,
        adgroup_name=row.adgroup_name,
        ad_id=row.ad_id,
        ad_name=row.ad_name,
        currency=row.currency,
        spend=row.spend,
        impressions=row.impressions,
        clicks=row.clicks,
        figures=json.dumps(figures),
    )


def undo(key: int, *, using: str = "") -> SpendImport:
    """Undo an import: its rows count no more, and what it replaced counts again. Raises CannotUndo.

    Where a later import replaced its rows in turn, that one still counts; undoing it then brings back what this one
    had replaced.
    """
    using = using or router.db_for_write(SpendImport)
    made = SpendImport.objects.using(using).filter(pk=key).first()
    if made is None:
        raise CannotUndo(_("There is no import %(number)d.") % {"number": key})
    with _one_at_a_time(made.advertiser, using):
        made.refresh_from_db()
        if made.undone_at is not None:
            raise CannotUndo(_("Import %(number)d was undone before.") % {"number": key})
        if made.created_at < django_timezone.now() - timedelta(days=FINAL_DAYS):
            text = _("Import %(number)d is final: it is older than %(days)d days, and what it replaced is deleted.")
            raise CannotUndo(text % {"number": key, "days": FINAL_DAYS})
        own = AdSpend.objects.using(using).filter(spend_import=made)
        replaced = AdSpend.objects.using(using).filter(replaced_by=made)
        later: dict[int, list[date]] = {}
        for day, by in own.filter(replaced_by__isnull=False).values_list("day", "replaced_by").distinct():
            later.setdefault(by, []).append(day)
        for by, days in later.items():
            for some in _chunks(days):
                replaced.filter(day__in=some).update(replaced_by=by)
        own.update(is_current=False, replaced_by=None)
        replaced.update(is_current=True, replaced_by=None)
        made.undone_at = django_timezone.now()
        made.save(update_fields=["undone_at"])
    return made


def same_file(advertiser: str, file_hash: str) -> SpendImport | None:
    """Return the import of this file whose rows all still count; None if there is none."""
    imports = SpendImport.objects.filter(advertiser=advertiser, file_hash=file_hash, undone_at__isnull=True)
    standing = imports.exclude(file_hash="").filter(
        ~Exists(AdSpend.objects.filter(spend_import=OuterRef("pk"), is_current=False))
    )
    return standing.order_by("-pk").first()


def _forget_final(advertiser: str, using: str) -> None:
    """Delete rows that can't come back: replaced or undone FINAL_DAYS ago."""
    limit = django_timezone.now() - timedelta(days=FINAL_DAYS)
    rows = AdSpend.objects.using(using).filter(advertiser=advertiser, is_current=False)
    rows.filter(Q(replaced_by__created_at__lt=limit) | Q(spend_import__undone_at__lt=limit)).delete()


@contextmanager
def _one_at_a_time(advertiser: str, using: str) -> Iterator[None]:
    """Open a transaction that holds the lock of one advertiser. Two imports at once would both count."""
    lock = Heartbeat.objects.using(using)
    name = f"spend:{advertiser}"[:32]
    lock.get_or_create(pk=name, defaults={"seen_at": 0})
    with transaction.atomic(using=using):
        # An UPDATE and no SELECT … FOR UPDATE: it locks the row, and on SQLite the database. It comes first, so that
        # what follows reads what an earlier import committed.
        lock.filter(pk=name).update(seen_at=time.time())
        yield


def _chunks(days: Sequence[date]) -> Iterable[Sequence[date]]:
    return (days[start : start + _AT_ONCE] for start in range(0, len(days), _AT_ONCE))


# What counts ----------------------------------------------------------------------------------------------------------


# Decision: the finest level that is complete counts. A level is complete for a day if its spend reaches 99 % of every
# coarser level's, in each currency: reports by ad leave out deleted ads, and two fetches at different hours differ by
# a little. Whatever is chosen, the levels of one day are never added.
def counting_levels(first: date, last: date, advertisers: Collection[str] | None = None) -> dict[tuple[str, date], str]:
    """Return the level that counts for each advertiser and day that have spend in this period (both days included)."""
    sums: dict[tuple[str, date], dict[str, dict[str, Decimal]]] = {}
    grouped = _current(first, last, advertisers).values("advertiser", "day", "level", "currency")
    for one in grouped.annotate(total=Sum("spend")).order_by():
        levels = sums.setdefault((one["advertiser"], one["day"]), {})
        levels.setdefault(one["level"], {})[one["currency"]] = Decimal(one["total"])
    return {key: _finest_complete(levels) for key, levels in sums.items()}


def _finest_complete(levels: Mapping[str, Mapping[str, Decimal]]) -> str:
    present = [level for level in LEVELS if level in levels]
    for place in range(len(present) - 1, 0, -1):
        own = levels[present[place]]
        coarser = [levels[level] for level in present[:place]]
        if all(
            own.get(currency, Decimal(0)) >= total * COMPLETE for sums in coarser for currency, total in sums.items()
        ):
            return present[place]
    return present[0]


def effective_spend(first: date, last: date, advertisers: Collection[str] | None = None) -> QuerySet[AdSpend]:
    """Return the rows that count: for each advertiser and day from `first` to `last` (both included) one level's.

    `advertisers` None: all. It makes one query of sums at once; the rows are read when the result is.
    """
    days: dict[tuple[str, str], list[date]] = {}
    for (advertiser, day), level in counting_levels(first, last, advertisers).items():
        days.setdefault((advertiser, level), []).append(day)
    rows = AdSpend.objects.filter(is_current=True)
    if not days:
        return rows.none()
    several = {advertiser for advertiser, _level in days if sum(one == advertiser for one, _ in days) > 1}
    chosen = Q()
    for (advertiser, level), known in days.items():
        # With one level alone in the period, the period says it; else the days are named.
        within = Q(day__in=known) if advertiser in several else Q(day__range=(first, last))
        chosen |= Q(advertiser=advertiser, level=level) & within
    return rows.filter(chosen)


def _current(first: date, last: date, advertisers: Collection[str] | None) -> QuerySet[AdSpend]:
    rows = AdSpend.objects.filter(is_current=True, day__range=(first, last))
    return rows if advertisers is None else rows.filter(advertiser__in=list(advertisers))


def known_until() -> dict[str, date]:
    """Return, by advertiser, the last day whose spend is known whole.

    The day of an import itself is not over yet, in the advertiser's zone, so it does not count.
    """
    found: dict[str, date] = {}
    imports = SpendImport.objects.filter(undone_at__isnull=True)
    # The newest of each last day are enough: an earlier import of the same days knows no more.
    for one in imports.values("advertiser", "last_day").annotate(at=Max("created_at")).order_by():
        advertiser = str(one["advertiser"])
        day = min(one["last_day"], day_of(one["at"], zone_of(advertiser)) - timedelta(days=1))
        found[advertiser] = max(found.get(advertiser, day), day)
    return found


def zone_of(advertiser: str) -> tzinfo:
    """Return the time zone of an advertiser's days: that of MARKETING_API, else the site's TIME_ZONE."""
    known = conf.current().marketing_api.get(advertiser)
    zone: ZoneInfo | None = known.time_zone if known else None
    return zone or django_timezone.get_default_timezone()


def day_of(moment: datetime, zone: tzinfo) -> date:
    """Return the day of a moment in this zone. Naive moments (USE_TZ=False) are in the site's own."""
    aware = moment if django_timezone.is_aware(moment) else django_timezone.make_aware(moment)
    return aware.astimezone(zone).date()


def today_of(advertiser: str) -> date:
    """Return the current day of an advertiser."""
    return datetime.now(timezone.utc).astimezone(zone_of(advertiser)).date()


# Names ----------------------------------------------------------------------------------------------------------------

UNKNOWN, AMBIGUOUS, WITHOUT_ID = "unknown name", "ambiguous name", "name without id"


@dataclass(frozen=True, kw_only=True, slots=True)
class NameMatch:
    """The object that a name belongs to: its id, or `problem` (UNKNOWN, AMBIGUOUS or WITHOUT_ID)."""

    object_id: str = ""
    problem: str = ""


def match_names(
    level: str,
    names: Collection[str],
    first: date,
    last: date,
    advertisers: Collection[str] | None = None,
) -> dict[str, NameMatch]:
    """Return for each name of a campaign, ad group or ad the one object that had it in this period.

    Names are compared exactly, in Python: a database may ignore case. Rows of every level tell names of campaigns.
    """
    wanted = set(names)
    ids: dict[str, set[str]] = {}
    column, name_column = IDS[Level(level).value], NAMES[level]
    pairs = _current(first, last, advertisers).exclude(**{name_column: ""}).values_list(name_column, column)
    for name, object_id in pairs.distinct().order_by():
        if name in wanted:
            ids.setdefault(str(name), set()).add(str(object_id))
    return {name: _match(ids.get(name, set())) for name in wanted}


def _match(ids: set[str]) -> NameMatch:
    known = ids - {""}
    if len(known) == 1:
        return NameMatch(object_id=known.pop())
    return NameMatch(problem=AMBIGUOUS if known else WITHOUT_ID if ids else UNKNOWN)
