"""Read the cells of a spend file: days, amounts and ids, and find those that can be read two ways.

`date_orders` and `decimal_signs` look at a whole column and return what it may be. A reader of one cell raises
`BadCell` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

from django.utils.translation import gettext as _

DMY, MDY = "dmy", "mdy"
POINT, COMMA = ".", ","
FIRST_YEAR = 2016  # TikTok's first
MOST_SPEND = Decimal(1_000_000_000)
MOST_COUNT = 2**53
NOTHING = frozenset({"", "-", "--", "–", "—", "n/a", "null", "none"})
"""Cells that hold no value. TikTok writes "-" where a metric does not apply."""

_STEP = Decimal("0.000001")
_ISO = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]00:00(?::00)?(?:\.0+)?Z?)?")
_COMPACT = re.compile(r"(20\d{2})(\d{2})(\d{2})")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?: 0?0:00(?::00)?)?")
_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
_PERIOD = re.compile(rf"{_DATE}\D{{1,9}}{_DATE}")
_WORDED = ("%b %d, %Y", "%d %b %Y", "%B %d, %Y", "%d %B %Y", "%d-%b-%Y")
_SERIAL = re.compile(r"4\d{4}(?:[.,]0+)?")
_SIGNS = {"€": "EUR", "£": "GBP", "₩": "KRW", "₫": "VND", "฿": "THB", "₱": "PHP", "R$": "BRL", "US$": "USD"}
"""Signs that belong to one currency. "$" and "¥" belong to several."""
_MONEY = re.compile(r"(?P<before>[^\d.,\-+()]*)(?P<number>[-+(]?\s*[\d.,'’\s]*\d[\d.,'’\s]*\)?)(?P<after>[^\d.,]*)")
_MOST_MONEY = 60
_EXPONENT = re.compile(r"[\d.,]+[eE][+-]?\d+")


class BadCell(ValueError):
    """A cell that can't be read. The text is the reason, for a person."""


# Days -----------------------------------------------------------------------------------------------------------------


def date_orders(cells: Iterable[str]) -> set[str]:
    """Return the orders in which a column's dates may be read: {"dmy"}, {"mdy"}, both, or none if they contradict."""
    possible = {DMY, MDY}
    for cell in cells:
        found = _SLASHED.fullmatch(cell)
        if found:
            if int(found[1]) > 12:
                possible.discard(MDY)
            if int(found[2]) > 12:
                possible.discard(DMY)
    return possible


def has_two_orders(cell: str) -> bool:
    """Return whether this date needs to be told apart: 01/02/2026."""
    return _SLASHED.fullmatch(cell) is not None


def is_period(cell: str) -> bool:
    """Return whether a cell names a period and no day: "2026-03-01 ~ 2026-03-31"."""
    return _PERIOD.search(cell) is not None


def read_day(cell: str, order: str, *, today: date) -> date:
    """Read a day; `order` is "dmy" or "mdy" for dates with slashes. Raises BadCell."""
    if cell.lower() in NOTHING:
        raise BadCell(_("it has no day"))
    if is_period(cell):
        raise BadCell(_("it covers several days: export by day"))
    if _SERIAL.fullmatch(cell):
        raise BadCell(_("its day is a spreadsheet's number: format that column as YYYY-MM-DD"))
    day = _day(cell, order)
    if day is None:
        raise BadCell(_("its day can't be read"))
    if day > today:
        raise BadCell(_("its day lies in the future"))
    if day.year < FIRST_YEAR:
        raise BadCell(_("its day lies before TikTok's first ads"))
    return day


@lru_cache(maxsize=1000)  # a file repeats its days
def _day(cell: str, order: str) -> date | None:
    parts = _ISO.fullmatch(cell) or _COMPACT.fullmatch(cell)
    if parts:
        return _made(parts[1], parts[2], parts[3])
    parts = _DOTTED.fullmatch(cell)  # with full stops the day comes first, wherever they are used
    if parts:
        return _made(parts[3], parts[2], parts[1])
    parts = _SLASHED.fullmatch(cell)
    if parts:
        return _made(parts[3], parts[2], parts[1]) if order == DMY else _made(parts[3], parts[1], parts[2])
    for form in _WORDED:
        with suppress(ValueError):
            return datetime.strptime(cell, form).date()  # noqa: DTZ007 -- a day has no zone
    return None


def _made(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))
    except ValueError:
        return None


# Amounts --------------------------------------------------------------------------------------------------------------


def decimal_signs(cells: Iterable[str]) -> set[str]:
    """Return what a column's decimal sign may be: {"."}, {","}, both, or none if its cells contradict each other.

    Both together with a cell that `needs_sign` must be asked.
    """
    possible = {POINT, COMMA}
    for cell in cells:
        sign = _sign(_digits(cell))
        if sign:
            possible &= {sign}
    return possible


def needs_sign(cell: str) -> bool:
    """Return whether a number can be read two ways: "1.234" is 1234 or 1.234."""
    digits = _digits(cell)
    return not _sign(digits) and (POINT in digits or COMMA in digits)


def _sign(digits: str) -> str:
    """Return the decimal sign that these digits show; "" if they show none."""
    points, commas = digits.count(POINT), digits.count(COMMA)
    if points and commas:
        return POINT if digits.rindex(POINT) > digits.rindex(COMMA) else COMMA
    if points + commas == 0:
        return ""
    sign = POINT if points else COMMA
    if points + commas > 1:  # 1.234.567: it groups thousands
        return COMMA if sign == POINT else POINT
    before, after = digits.split(sign)
    return "" if len(after) == 3 and 1 <= len(before) <= 3 and before.lstrip("0") else sign


def _money(cell: str) -> re.Match[str] | None:
    return _MONEY.fullmatch(cell) if len(cell) <= _MOST_MONEY else None  # the pattern takes cubic time


def _digits(cell: str) -> str:
    found = _money(cell)
    return re.sub(r"[\s'’()+-]", "", found["number"]) if found else ""


def read_amount(cell: str, sign: str) -> tuple[Decimal, str]:
    """Read an amount with this decimal sign; return it with the currency that is written beside it, or "".

    Raises BadCell for no number, and for a negative or absurd one.
    """
    if cell.lower() in NOTHING:
        raise BadCell(_("it has no cost"))
    if _EXPONENT.fullmatch(cell):
        raise BadCell(_("its cost was shortened by a spreadsheet: export the file again, and don't save it there"))
    found = _money(cell)
    if found is None:
        raise BadCell(_("its cost is no number"))
    if found["number"].startswith(("-", "(")):
        raise BadCell(_("its cost is negative"))
    amount = _number(_digits(cell), sign)
    if amount is None:
        raise BadCell(_("its cost is no number"))
    if amount > MOST_SPEND:
        raise BadCell(_("its cost is too high to be one day's"))
    mark = (found["before"].strip() or found["after"].strip()).upper()
    return amount, mark if re.fullmatch("[A-Z]{3}", mark) else _SIGNS.get(mark, "")


def _number(digits: str, sign: str) -> Decimal | None:
    other = COMMA if sign == POINT else POINT
    whole, _separator, fraction = digits.partition(sign)
    if other in fraction or sign in fraction or (other in whole and not re.fullmatch(_GROUPED[other], whole)):
        return None
    try:
        return Decimal(f"{whole.replace(other, '') or '0'}.{fraction or '0'}").quantize(_STEP, ROUND_HALF_UP)
    except InvalidOperation:
        return None


_GROUPED = {POINT: r"\d{1,3}(?:\.\d{2,3})*\.\d{3}", COMMA: r"\d{1,3}(?:,\d{2,3})*,\d{3}"}  # India groups by two


def read_count(cell: str, sign: str) -> int | None:
    """Read a number of impressions or clicks; None if the cell has none. Raises BadCell."""
    if cell.lower() in NOTHING:
        return None
    digits = _digits(cell)
    plain = re.fullmatch(r"\d+(?:[.,]0+)?|\d{1,3}(?:[.,]\d{3})+", digits)
    if plain is None or cell.lstrip().startswith("-"):
        raise BadCell(_("a count is no whole number"))
    is_grouped = re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits) and not digits.endswith(f"{sign}000")
    count = int(re.sub(r"[.,]", "", digits)) if is_grouped else int(re.split(r"[.,]", digits)[0])
    if count > MOST_COUNT:
        raise BadCell(_("a count is absurdly high"))
    return count


def read_figure(cell: str, sign: str) -> str:
    """Read one of TikTok's other metrics as a decimal text; "" where it has none or can't be read."""
    number = None if cell.lower() in NOTHING or cell.startswith("-") else _number(_digits(cell.rstrip("%")), sign)
    return "" if number is None else format(number.normalize(), "f")


# Ids ------------------------------------------------------------------------------------------------------------------


def plain_id(cell: str) -> str:
    """Return an id without what a spreadsheet adds to keep it a text: ="17", '17."""
    return cell.removeprefix("=").strip("\"'\t ")


def is_rounded(cell: str) -> bool:
    """Return whether a spreadsheet turned this id into a number and lost digits: "1.7E+15", "1700000000000000.0"."""
    return re.fullmatch(r"\d+(?:[.,]\d+)?[eE]\+?\d+|\d{6,}[.,]0+", plain_id(cell)) is not None


def read_id(cell: str) -> str:
    """Read an id; "" if the cell has none. Raises BadCell."""
    text = plain_id(cell)
    if text.lower() in NOTHING:
        return ""
    if not re.fullmatch(r"[0-9]{1,32}", text):
        raise BadCell(_("an id is no number"))
    return text
