"""What a spend file or TikTok's report says: rows, choices, questions, and lines that are not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from tiktok_attribution.attribution.spend_columns import IDS, LABELS, LEVELS, NAMES

MOST_NAME = 250


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendRow:
    """Cost and figures of one campaign, ad group or ad on one day. `line` is its line in the file; 0 for no file."""

    day: date
    spend: Decimal
    currency: str
    campaign_id: str = ""
    campaign_name: str = ""
    adgroup_id: str = ""
    adgroup_name: str = ""
    ad_id: str = ""
    ad_name: str = ""
    impressions: int | None = None
    clicks: int | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    line: int = 0

    def key(self, level: str) -> tuple[str, ...]:
        """Return what makes its object one of this level: the id, or without one its name and what it belongs to."""
        own = str(getattr(self, IDS[level]))
        above = LEVELS[: LEVELS.index(level) + 1]
        return (own,) if own else ("", *(str(getattr(self, IDS[one]) or getattr(self, NAMES[one])) for one in above))


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What a person chose. `columns` names headings by field, also "" for "not in this file"."""

    dates: str = ""
    decimal: str = ""
    currency: str = ""
    level: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a person must choose: the field of `Choices`, the text, and the answers with their meaning."""

    name: str
    text: str
    answers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class NotTaken:
    """A line that is not imported. `is_total`: it is the sum of the others, so nothing is lost."""

    line: int
    reason: str
    is_total: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendFile:
    """What a file says. With questions it has no rows yet."""

    level: str
    rows: tuple[SpendRow, ...]
    not_taken: tuple[NotTaken, ...]
    questions: tuple[Question, ...]
    warnings: tuple[str, ...]
    headings: tuple[str, ...]
    columns: Mapping[str, str]
    encoding: str
    delimiter: str
    sha256: str

    @property
    def sums(self) -> dict[str, Decimal]:
        """Return the spend by currency."""
        found: dict[str, Decimal] = {}
        for row in self.rows:
            found[row.currency] = found.get(row.currency, Decimal(0)) + row.spend
        return dict(sorted(found.items()))

    @property
    def days(self) -> list[date]:
        """Return the days that have rows, in order."""
        return sorted({row.day for row in self.rows})


def plain(amount: Decimal) -> str:
    """Return an amount with at least two decimals and no zeros after them: 1234.00, 0.005."""
    text = format(amount.normalize(), "f")
    whole, _point, fraction = text.partition(".")
    return f"{whole}.{fraction:0<2}"


def unread_columns(found: SpendFile) -> list[str]:
    """Return the headings of columns that are not read, in their order."""
    read = set(found.columns.values())
    return [heading for heading in found.headings if heading and heading not in read]


def labels() -> dict[str, str]:
    """Return the fields that a person may map, with their names."""
    return {name: str(label) for name, label in LABELS.items()}


def level_words(level: str) -> str:
    """Return a level in words."""
    return {"campaign": _("campaign"), "adgroup": _("ad group"), "ad": _("ad")}.get(level, level)
