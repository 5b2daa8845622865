"""The report as plain values: JSON for programs, and lines for a spreadsheet.

Amounts and ratios are decimal texts in JSON and numbers in a spreadsheet. What isn't known is null, or an empty cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from tiktok_attribution.attribution.report import Report
from tiktok_attribution.attribution.report_figures import Figures, Money
from tiktok_attribution.attribution.report_rows import Row

_CENT, _RATIO = Decimal("0.01"), Decimal("0.0001")
MONEY = ("spend", "value", "refunded", "tiktok_value")
"""Names of amounts by currency."""
NUMBERS = (
    *("impressions", "clicks", "conversions", "rate", "roas", "cpa", "new_customers", "cac"),
    *("tiktok_conversions", "tiktok_roas", "difference", "from_views", "from_clock", "not_explained"),
)
"""Names of the other figures."""


def values_of(figures: Figures) -> dict[str, Any]:
    """Return the figures by name: amounts by currency as a dict of decimals, all others as numbers or None."""
    cost = figures.cost
    return {
        "spend": _rounded(figures.spend),
        "currency_of_costs": cost[0] if cost else None,
        "impressions": figures.impressions,
        "clicks": figures.clicks,
        "conversions": _plain(figures.conversions),
        "rate": _ratio(figures.rate),
        "value": _rounded(figures.value),
        "refunded": _rounded(figures.refunded),
        "roas": _ratio(figures.roas),
        "cpa": _cents(figures.cpa),
        "new_customers": _plain(figures.new_customers),
        "cac": _cents(figures.cac),
        "tiktok_conversions": _plain(figures.own_conversions),
        "tiktok_value": _rounded(figures.own_value),
        "tiktok_roas": _ratio(figures.own_roas),
        "difference": _plain(figures.difference),
        "from_views": _plain(figures.own_views),
        "from_clock": _plain(figures.clock_part),
        "not_explained": _plain(figures.not_explained),
    }


def as_json(found: Report, rows: Iterable[Row]) -> dict[str, Any]:
    """Return the whole report with these rows, ready for `json.dumps`."""
    query = found.query
    traffic = {"paid": "ads", "organic": "organic", "other": "other", "": "without"}
    return {
        "from": query.first.isoformat(),
        "to": query.last.isoformat(),
        "clock": query.clock,
        "model": query.model,
        "window": query.window,
        "pixel": query.shop,
        "event": query.name,
        "customers": query.customers,
        "by": query.by,
        "rows": [{**_named(row), **_texts(values_of(row.figures)), **_windows(row)} for row in rows],
        "ads": _texts(values_of(found.totals.ads)),
        "all": _texts(values_of(found.totals.every)),
        "blended_roas": _text(_ratio(found.totals.every.roas)),
        "conversions": {name: _text(_plain(found.totals.by_traffic[key].conversions)) for key, name in traffic.items()},
        "landings": found.totals.landings,
        "erased": _text(_plain(found.erased)),
        "refused": found.refused,
        "suppressed": found.suppressed,
        "undelivered": found.undelivered,
        "spend_known_until": found.spend_until.isoformat() if found.spend_until else None,
        "days_not_final": [day.day.isoformat() for day in found.days if not day.is_final],
    }


def table(found: Report, rows: Iterable[Row]) -> Iterator[list[object]]:
    """Yield a header and lines: the rows, what adds them up, and all conversions by what brought them.

    Each currency has columns of its own, so that nobody adds two of them up.
    """
    lines = [("row", row, row.figures) for row in rows]
    totals = [("listed", found.listed), ("all", found.totals.every)]
    totals += [(f"traffic {key or 'none'}", figures) for key, figures in found.totals.by_traffic.items()]
    read = [(part, row, values_of(figures), row.windows) for part, row, figures in lines]
    read += [(part, Row(key=""), values_of(figures), {}) for part, figures in totals]
    money = [(name, code) for name in MONEY for code in sorted({code for _p, _r, v, _w in read for code in v[name]})]
    windows = sorted({window for _p, _r, _v, by_window in read for window in by_window})
    yield [
        *("part", "from", "to", "clock", "model", "window", "event", "id", "name"),
        *(f"{name}_{code or 'unknown'}" for name, code in money),
        *NUMBERS,
        *(f"conversions_{window}_days" for window in windows),
    ]
    query = found.query
    asked = (query.first.isoformat(), query.last.isoformat(), query.clock, query.model, query.window, query.name)
    for part, row, values, by_window in read:
        yield [
            *(part, *asked, row.id, row.name),
            *(values[name].get(code) for name, code in money),
            *(values[name] for name in NUMBERS),
            *(_plain(by_window[window].conversions) if window in by_window else None for window in windows),
        ]


def _named(row: Row) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "is_ambiguous": row.is_ambiguous}


def _windows(row: Row) -> dict[str, Any]:
    if not row.windows:
        return {}
    return {"windows": {str(days): _text(_plain(figures.conversions)) for days, figures in row.windows.items()}}


def _rounded(money: Money) -> dict[str, Decimal]:
    return {currency: amount.quantize(_CENT) for currency, amount in sorted(money.items())}


def _cents(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(_CENT)


def _ratio(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(_RATIO)


def _plain(number: Decimal | None) -> Decimal | None:
    """Return a sum of credits with at most four decimals, a whole number without any."""
    if number is None:
        return None
    rounded = number.quantize(_RATIO)
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()


def _text(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value


def _texts(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _texts(value) if isinstance(value, dict) else _text(value) for name, value in values.items()}
