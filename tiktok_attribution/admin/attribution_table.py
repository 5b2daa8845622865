"""The table of the attribution report: its columns, the text of each cell, the order of rows, and links into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.admin.attribution_query import Asked
from tiktok_attribution.admin.explanations import Text
from tiktok_attribution.attribution.report import Report
from tiktok_attribution.attribution.report_figures import Figures, Money
from tiktok_attribution.attribution.report_query import OBJECT_LEVELS
from tiktok_attribution.attribution.report_rows import Row
from tiktok_attribution.events.money import minor_digits

DASH = "–"
"""What stands for a figure that isn't known, or can't be computed. It is never 0."""
MOST_ROWS = 500
CARRIED = ("period", "from", "to", "model", "window", "clock", "pixel", "customers")
"""Parameters that the list of conversions has too, besides the event, which has another default there."""

LEVEL_TITLES: Mapping[str, Text] = {
    "campaign": _("Campaign"),
    "adgroup": _("Ad group"),
    "ad": _("Ad"),
    "placement": _("Placement"),
    "landing": _("Landing page"),
}
UNKNOWN_TITLES: Mapping[str, Text] = {
    "campaign": _("Unknown campaign"),
    "adgroup": _("Unknown ad group"),
    "ad": _("Unknown ad"),
    "placement": _("Unknown placement"),
    "landing": _("Unknown page"),
}


def number(value: Decimal | int | None, decimals: int = 2) -> str:
    """Return a number in the format of the language, without zeros behind the decimal sign; a dash for None."""
    if value is None:
        return DASH
    rounded = round(Decimal(value), decimals)
    exponent = rounded.normalize().as_tuple().exponent
    digits = max(0, -exponent) if isinstance(exponent, int) else 0
    text = number_format(abs(rounded), digits, use_l10n=True, force_grouping=True)
    return f"\N{MINUS SIGN}{text}" if rounded < 0 else text


def fixed(value: Decimal | None) -> str:
    """Return a ratio with two decimals."""
    return DASH if value is None else number_format(round(value, 2), 2, use_l10n=True, force_grouping=True)


def amount(value: Decimal, currency: str) -> str:
    """Return an amount such as "1,250.00 EUR" or "1,250 JPY"."""
    digits = minor_digits(currency)
    return f"{number_format(round(value, digits), digits, use_l10n=True, force_grouping=True)} {currency}".strip()


def money(sums: Money) -> list[str]:
    """Return an amount for each currency; a dash if there is none."""
    return [amount(value, currency) for currency, value in sorted(sums.items())] or [DASH]


def signed(value: Decimal | None) -> str:
    """Return a difference with its sign."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text != "0" else text


def percent(value: Decimal | None, decimals: int = 1) -> str:
    """Return a share in per cent."""
    if value is None:
        return DASH
    text = number_format(abs(round(value * 100, decimals)), decimals, use_l10n=True)
    return gettext("%(n)s %%") % {"n": f"\N{MINUS SIGN}{text}" if value < 0 else text}


class Cell(NamedTuple):
    """The lines of a cell, and remarks in small letters below. `address` leads to the conversions that it counts."""

    lines: list[str]
    remarks: list[str] = []
    address: str = ""


def _one(text: str) -> Cell:
    return Cell([text])


def _cost(figures: Figures, value: Decimal | None) -> Cell:
    return _one(DASH if value is None or figures.cost is None else amount(value, figures.cost[0]))


def _difference(figures: Figures) -> Cell:
    if figures.difference is None:
        return _one(DASH)
    parts = (
        (gettext("views %(n)s"), figures.own_views),
        (gettext("clock %(n)s"), figures.clock_part),
        (gettext("not explained %(n)s"), figures.not_explained),
    )
    return Cell([signed(figures.difference)], [text % {"n": signed(value)} for text, value in parts if value])


Key = Decimal | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, the cell of a row, and the number by which rows are sorted (None comes last)."""

    key: str
    title: Text
    cell: Callable[[Figures], Cell]
    sort: Callable[[Figures], Key]


def _whole(sums: Money) -> Key:
    """Return the number to sort amounts by. Currencies are not compared: the largest amount of a row decides."""
    return max(sums.values(), default=None)


CREDITS = (
    Column("conversions", _("Conversions"), lambda f: _one(number(f.conversions)), lambda f: f.conversions),
    Column("value", _("Net value"), lambda f: Cell(money(f.value)), lambda f: _whole(f.value)),
    Column("new", _("New customers"), lambda f: _one(number(f.new_customers)), lambda f: f.new_customers),
)
COLUMNS = (
    Column("spend", _("Spend"), lambda f: Cell(money(f.spend)), lambda f: _whole(f.spend)),
    Column("impressions", _("Impressions"), lambda f: _one(number(f.impressions)), lambda f: f.impressions),
    Column("clicks", _("Clicks"), lambda f: _one(number(f.clicks)), lambda f: f.clicks),
    CREDITS[0],
    Column("rate", _("Conversion rate"), lambda f: _one(percent(f.rate, 2)), lambda f: f.rate),
    CREDITS[1],
    Column("roas", _("ROAS"), lambda f: _one(fixed(f.roas)), lambda f: f.roas),
    Column("cpa", _("CPA"), lambda f: _cost(f, f.cpa), lambda f: f.cpa),
    CREDITS[2],
    Column("cac", _("CAC"), lambda f: _cost(f, f.cac), lambda f: f.cac),
    Column(
        "own_conversions",
        _("TikTok: conversions"),
        lambda f: _one(number(f.own_conversions)),
        lambda f: f.own_conversions,
    ),
    Column("own_value", _("TikTok: value"), lambda f: Cell(money(f.own_value)), lambda f: _whole(f.own_value)),
    Column("own_roas", _("TikTok: ROAS"), lambda f: _one(fixed(f.own_roas)), lambda f: f.own_roas),
    Column("difference", _("TikTok minus site"), _difference, lambda f: f.difference),
)


class Head(NamedTuple):
    """A heading of the table. `direction` is "ascending", "descending" or "" for a column that is not sorted by."""

    title: Text
    address: str
    direction: str


@dataclass(slots=True, kw_only=True)
class Line:
    """A row of the page. `address` leads to what the row is made of, "" where that is all."""

    title: str
    id: str = ""
    remark: str = ""
    address: str = ""
    cells: list[Cell] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Table:
    """The table of the page. `more` rows are left out, but the sum has them too."""

    first: Head
    heads: list[Head]
    windows: list[str]
    lines: list[Line]
    total: Line
    more: int


def address_of(asked: Asked, *without: str, **changed: str) -> str:
    """Return this state of the page with some parameters changed or left out, as the query of an address."""
    kept = {name: value for name, value in asked.parameters.items() if name not in without}
    return urlencode({**kept, **changed})


def in_order(found: Report, sort: str) -> list[Row]:
    """Return the rows in this order: the highest first with "-". Rows without the figure come last, then by name."""
    key, is_down = sort.removeprefix("-"), sort.startswith("-")
    named = sorted(found.rows, key=lambda row: (row.name.casefold(), row.id))
    if key == "name":
        return named[::-1] if is_down else named
    column = next(column for column in COLUMNS if column.key == key)
    known = [row for row in named if column.sort(row.figures) is not None]
    rest = [row for row in named if column.sort(row.figures) is None]
    return sorted(known, key=lambda row: column.sort(row.figures) or 0, reverse=is_down) + rest


def table_of(found: Report, asked: Asked, windows: Iterable[int]) -> Table:
    """Return the table of the page with at most `MOST_ROWS` rows."""
    by = asked.query.by
    columns = COLUMNS if by in OBJECT_LEVELS else CREDITS
    shown = list(windows) if asked.with_windows else []
    rows = in_order(found, asked.sort)
    return Table(
        first=_head(asked, "name", LEVEL_TITLES[by]),
        heads=[_head(asked, column.key, column.title) for column in columns],
        windows=[_days(window) for window in shown],
        lines=[_line(row, asked, columns, shown) for row in rows[:MOST_ROWS]],
        total=Line(
            title=gettext("All of them"),
            cells=[*(_sum(rows, window) for window in shown), *(column.cell(found.listed) for column in columns)],
        ),
        more=max(0, len(rows) - MOST_ROWS),
    )


def title_of(row: Row, by: str) -> str:
    """Return the name of a row, its id if it has none, or that it is unknown."""
    return row.name or row.id or str(UNKNOWN_TITLES[by])


def _line(row: Row, asked: Asked, columns: Iterable[Column], windows: Iterable[int]) -> Line:
    by = asked.query.by
    remark = ""
    if row.is_ambiguous:
        remark = gettext("Ambiguous name: several objects of TikTok have it.")
    elif row.figures.is_partial:
        remark = gettext("With spend that is known for a wider level only.")
    # Windows first: on most screens the last columns are reached by scrolling, and these were just asked for.
    cells = [_window(row, window) for window in windows]
    cells += [_cell(column, row, asked) for column in columns]
    return Line(
        title=title_of(row, by),
        id=row.id if row.name else "",
        remark=remark,
        address=_deeper(asked, row),
        cells=cells,
    )


def _cell(column: Column, row: Row, asked: Asked) -> Cell:
    cell = column.cell(row.figures)
    if column.key != CREDITS[0].key or not row.figures.conversions:
        return cell
    return cell._replace(address=conversions_address(asked, **{**asked.query.inside, asked.query.by: row.key}))


def conversions_address(asked: Asked, **chosen: str) -> str:
    """Return the list of the conversions that a figure counts, as the query of its address."""
    query = asked.query
    parameters = {name: asked.parameters[name] for name in CARRIED if name in asked.parameters}
    event = {"event": query.name} if query.name else {}
    return urlencode({**parameters, **event, **chosen})


def _deeper(asked: Asked, row: Row) -> str:
    """Return the address of the ad groups of a campaign, or the ads of an ad group."""
    by = asked.query.by
    if by not in OBJECT_LEVELS[:-1]:
        return ""
    below = OBJECT_LEVELS[OBJECT_LEVELS.index(by) + 1]
    return address_of(asked, "by", "adgroup", **{"by": below, by: row.key})


def _head(asked: Asked, key: str, title: Text) -> Head:
    current, is_down = asked.sort.removeprefix("-"), asked.sort.startswith("-")
    # A second press turns the order round. Numbers begin with the highest, names with the first letter.
    sort = (key if is_down else f"-{key}") if key == current else (key if key == "name" else f"-{key}")
    direction = ("descending" if is_down else "ascending") if key == current else ""
    return Head(title, address_of(asked, "sort", sort=sort), direction)


def _window(row: Row, window: int) -> Cell:
    figures = row.windows.get(window)
    return _one(number(Decimal(0))) if figures is None else Cell([number(figures.conversions)], _worth(figures))


def _sum(rows: Iterable[Row], window: int) -> Cell:
    total = Figures()
    for row in rows:
        total.add(row.windows.get(window, Figures()))
    return Cell([number(total.conversions)], _worth(total))


def _worth(figures: Figures) -> list[str]:
    return money(figures.value) if figures.value else []


def _days(window: int) -> str:
    return gettext("%(days)d-day window") % {"days": window}
