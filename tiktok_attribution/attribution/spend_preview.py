"""Say what an import would do, before it is done: for the admin's page and `tiktok_spend`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum

from tiktok_attribution import conf
from tiktok_attribution.attribution import spend
from tiktok_attribution.attribution.spend_columns import IDS, LEVELS, NAMES
from tiktok_attribution.attribution.spend_file import read_spend
from tiktok_attribution.attribution.spend_row import Choices, SpendFile, SpendRow, plain, unread_columns
from tiktok_attribution.models import AdSpend, SpendImport

FIRST_ROWS = 5
MOST_LISTED = 200
"""Lines that are not taken, that a page or a terminal lists; the rest is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A file beside what is stored. `replaces` is the spend by currency that counts now for its days and level.

    `finer_days`: days of the file that have spend by a finer level. Where that is complete, it counts instead.
    """

    advertiser: str
    file: SpendFile
    replaces: Mapping[str, Decimal]
    replaced_rows: int
    finer_days: int
    same: SpendImport | None

    @property
    def is_ready(self) -> bool:
        """Return whether it can be imported: no question is open, and there are rows."""
        return not self.file.questions and bool(self.file.rows)

    @property
    def lost(self) -> int:
        """Return how many lines are not taken, without totals."""
        return sum(not one.is_total for one in self.file.not_taken)

    @property
    def missing_days(self) -> list[date]:
        """Return the days without a row between the first and the last."""
        days = self.file.days
        if not days:
            return []
        span = (days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1))
        return sorted(set(span) - set(days))

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON types; amounts as texts."""
        found = self.file
        days = [day.isoformat() for day in found.days]
        return {
            "advertiser": self.advertiser,
            "level": found.level,
            "rows": len(found.rows),
            "first_day": days[0] if days else None,
            "last_day": days[-1] if days else None,
            "days": len(days),
            "missing_days": [day.isoformat() for day in self.missing_days],
            "sums": {currency: plain(amount) for currency, amount in found.sums.items()},
            "first_rows": [row_cells(row, found.level) for row in found.rows[:FIRST_ROWS]],
            "replaces": {currency: plain(amount) for currency, amount in self.replaces.items()},
            "replaced_rows": self.replaced_rows,
            "finer_days": self.finer_days,
            "questions": [
                {"name": one.name, "text": one.text, "answers": dict(one.answers)} for one in found.questions
            ],
            "not_taken": [
                {"line": one.line, "reason": one.reason, "is_total": one.is_total} for one in found.not_taken
            ],
            "warnings": list(found.warnings),
            "columns": dict(found.columns),
            "unread_columns": unread_columns(found),
            "encoding": found.encoding,
            "delimiter": found.delimiter,
            "sha256": found.sha256,
            "same_as_import": self.same.pk if self.same else None,
        }


def preview(advertiser: str, data: bytes, choices: Choices) -> Preview:
    """Read a file for an advertiser. Raises UnreadableSpend. It changes nothing."""
    found = read_spend(data, choices, today=spend.today_of(advertiser))
    days = found.days
    replaces: dict[str, Decimal] = {}
    count, finer_days = 0, 0
    if days:
        counting = AdSpend.objects.filter(is_current=True, advertiser=advertiser, day__range=(days[0], days[-1]))
        wanted = set(days)
        by_day = counting.filter(level=found.level).values("day", "currency")
        finer = counting.filter(level__in=LEVELS[LEVELS.index(found.level) + 1 :])
        finer_days = len(wanted & set(finer.values_list("day", flat=True).distinct()))
        for one in by_day.annotate(total=Sum("spend"), count=Count("pk")).order_by():
            if one["day"] in wanted:
                replaces[one["currency"]] = replaces.get(one["currency"], Decimal(0)) + Decimal(one["total"])
                count += one["count"]
    return Preview(
        advertiser=advertiser,
        file=found,
        replaces=dict(sorted(replaces.items())),
        replaced_rows=count,
        finer_days=finer_days,
        same=spend.same_file(advertiser, found.sha256),
    )


def currency_of(advertiser: str) -> str:
    """Return the currency that MARKETING_API gives this advertiser; "" if none."""
    known = conf.current().marketing_api.get(advertiser)
    return known.currency if known else ""


def row_cells(row: SpendRow, level: str) -> dict[str, str]:
    """Return what a preview shows of a row."""
    return {
        "day": row.day.isoformat(),
        "id": str(getattr(row, IDS[level])),
        "name": str(getattr(row, NAMES[level])),
        "spend": plain(row.spend),
        "currency": row.currency,
        "impressions": "" if row.impressions is None else str(row.impressions),
        "clicks": "" if row.clicks is None else str(row.clicks),
    }
