"""Read a spend file: what its rows say, what is refused with the reason, and what a person must choose.

`read_spend(data, choices)` returns a `SpendFile`: rows to import, every line that is not taken with its reason, and the
open questions. It reads no database and no settings. Nothing is guessed: a date or an amount that can be read two ways
is a question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from tiktok_attribution.attribution import spend_values
from tiktok_attribution.attribution.spend_columns import (
    FIELDS,
    FIGURES,
    IDS,
    LEVELS,
    NAMES,
    is_total,
    recognise,
    repeated,
)
from tiktok_attribution.attribution.spend_row import (
    MOST_NAME,
    Choices,
    NotTaken,
    Question,
    SpendFile,
    SpendRow,
    level_words,
    plain,
)
from tiktok_attribution.attribution.spend_table import MOST_LINES, Line, Table, UnreadableSpend, read_table
from tiktok_attribution.attribution.spend_values import BadCell
from tiktok_attribution.events.money import currency_code
from tiktok_attribution.exceptions import InvalidEvent


def read_spend(data: bytes, choices: Choices, *, today: date) -> SpendFile:
    """Read a file. Raises UnreadableSpend where nothing of it can be imported: no CSV, no column of days, rounded ids.

    `today` is the newest day that may have spend.
    """
    table = read_table(data)
    if not table.lines:
        raise UnreadableSpend(_("It has a heading and no lines."))
    places = _places(table, choices)
    return _Reading(table, places, choices, today).read(hashlib.sha256(data).hexdigest())


def _places(table: Table, choices: Choices) -> dict[str, int]:
    """Return the place of each field's column: those that are recognised, changed as the person chose."""
    places = recognise(table.headings)
    for name, heading in choices.columns.items():
        if name not in FIELDS:
            raise UnreadableSpend(_("There is no field “%(name)s”.") % {"name": name[:50]})
        if not heading:
            places.pop(name, None)
        elif heading in table.headings:
            places[name] = table.headings.index(heading)
        else:
            raise UnreadableSpend(_("It has no column “%(name)s”.") % {"name": heading[:50]})
    for name in ("day", "spend"):
        if name not in places:
            continue
        heading = table.headings[places[name]]
        if repeated(table.headings, places[name]):
            raise UnreadableSpend(_("Two columns are called “%(name)s”. Remove one.") % {"name": heading[:50]})
    if "day" not in places:
        raise UnreadableSpend(_("It has no column of days. Export by day, or say which column holds the day."))
    if "spend" not in places:
        raise UnreadableSpend(_("It has no column of costs. Export it with the cost, or say which column holds it."))
    return places


class _Reading:
    """One table on its way to rows."""

    def __init__(self, table: Table, places: dict[str, int], choices: Choices, today: date) -> None:
        self._table, self._places, self._choices, self._today = table, places, choices, today
        self._not_taken: list[NotTaken] = []
        self._warnings: list[str] = []
        self._totals: list[Line] = []
        self._lines = self._whole_lines()
        self._level = self._found_level()
        self._order, self._sign = choices.dates, choices.decimal
        self._figures = [name for name in FIGURES if name in places]

    def read(self, sha256: str) -> SpendFile:
        """Ask, or read every line."""
        self._refuse_rounded_ids()
        questions = self._questions()
        rows = () if questions else self._rows()
        headings = self._table.headings
        return SpendFile(
            level=self._level,
            rows=rows,
            not_taken=tuple(sorted(self._not_taken, key=lambda one: one.line)),
            questions=tuple(questions),
            warnings=tuple(self._warnings),
            headings=headings,
            columns={name: headings[place] for name, place in self._places.items()},
            encoding=self._table.encoding,
            delimiter=self._table.delimiter,
            sha256=sha256,
        )

    def _cell(self, line: Line, name: str) -> str:
        place = self._places.get(name)
        return line.cells[place] if place is not None and place < len(line.cells) else ""

    def _column(self, name: str) -> list[str]:
        return [self._cell(line, name) for line in self._lines]

    # Lines ------------------------------------------------------------------------------------------------------------

    def _whole_lines(self) -> list[Line]:
        """Return the lines that have all cells and are no total."""
        table, width = self._table, len(self._table.headings)
        lines = list(table.lines)
        if len(lines) > MOST_LINES:
            text = _("It has more than %(most)d lines. Export a shorter period.")
            raise UnreadableSpend(text % {"most": MOST_LINES})
        if table.is_cut:
            last = lines.pop()
            self._refuse(last, _("it has no end: the file was cut off, so later lines are missing too"))
            self._warnings.append(_("The file was cut off. Export it again, or the last days are not complete."))
        whole = []
        for line in lines:
            if self._is_total(line):
                self._totals.append(line)
                self._not_taken.append(NotTaken(line=line.number, reason=_("it is the total"), is_total=True))
            elif len(line.cells) < width or any(line.cells[width:]):
                text = _("it has %(cells)d cells, and the heading has %(width)d")
                self._refuse(line, text % {"cells": len(line.cells), "width": width})
            else:
                whole.append(line)
        return whole

    def _is_total(self, line: Line) -> bool:
        """Return whether a line is a total: a cell says so, it has no id, and no day of its own."""
        if any(self._cell(line, name).isdecimal() for name in IDS.values()):
            return False
        day = self._cell(line, "day")
        if day[:1].isdecimal() and not spend_values.is_period(day):
            return False
        return any(map(is_total, line.cells))

    def _refuse(self, line: Line, reason: str) -> None:
        self._not_taken.append(NotTaken(line=line.number, reason=reason))

    # What the whole file says -----------------------------------------------------------------------------------------

    def _found_level(self) -> str:
        found = ""
        for level in LEVELS:
            cells = (*self._column(IDS[level]), *self._column(NAMES[level]))
            if any(cell.lower() not in spend_values.NOTHING for cell in cells):
                found = level
        if not found:
            raise UnreadableSpend(
                _("It has no campaign, ad group or ad. Export by campaign, or say which columns hold id and name.")
            )
        wanted = self._choices.level
        if wanted and wanted != found:
            raise UnreadableSpend(
                _("It is a file by %(found)s, not by %(wanted)s.")
                % {"found": level_words(found), "wanted": level_words(wanted)}
            )
        return found

    def _refuse_rounded_ids(self) -> None:
        for level in LEVELS:
            for line in self._lines:
                cell = self._cell(line, IDS[level])
                if spend_values.is_rounded(cell):
                    text = _(
                        "Line %(line)d has the id “%(id)s”: a spreadsheet turned the ids into rounded numbers, so they "
                        "are lost. Export the file again, and import it without opening it there."
                    )
                    raise UnreadableSpend(text % {"line": line.number, "id": cell[:40]})
            ids = {spend_values.plain_id(cell) for cell in self._column(IDS[level])} - spend_values.NOTHING
            if ids and all(len(one) >= 18 and one.endswith("000") for one in ids):
                self._warnings.append(_("All ids end in 000. A spreadsheet may have rounded them; compare one."))

    def _questions(self) -> list[Question]:
        found = [self._asked_order(), self._asked_sign(), self._asked_currency()]
        return [one for one in found if one is not None]

    def _asked_order(self) -> Question | None:
        days = self._column("day")
        if days and all(map(spend_values.is_period, days)):
            raise UnreadableSpend(_("Its lines cover several days each. Export by day."))
        if self._order or not any(map(spend_values.has_two_orders, days)):
            return None
        orders = spend_values.date_orders(days)
        if not orders:
            raise UnreadableSpend(_("Its dates contradict each other: some begin with the day, some with the month."))
        if len(orders) == 1:
            self._order = orders.pop()
            return None
        example = next(day for day in days if spend_values.has_two_orders(day))
        text = _("Which way are the dates written? The first is %(example)s.") % {"example": example[:20]}
        return Question(name="dates", text=text, answers=_meanings(example, self._today))

    def _asked_sign(self) -> Question | None:
        cells = self._column("spend")
        if self._sign:
            return None
        signs = spend_values.decimal_signs(cells)
        if not signs:
            raise UnreadableSpend(_("Its costs contradict each other: some have a decimal point, some a comma."))
        unclear = next((cell for cell in cells if spend_values.needs_sign(cell)), "")
        if len(signs) == 1 or not unclear:
            self._sign = signs.pop() if len(signs) == 1 else spend_values.POINT
            return None
        text = _("Which amount is the cost %(example)s?") % {"example": unclear[:20]}
        answers = {sign: _amount(unclear, sign) for sign in (spend_values.POINT, spend_values.COMMA)}
        return Question(name="decimal", text=text, answers=answers)

    def _asked_currency(self) -> Question | None:
        if self._choices.currency:
            return None
        for line in self._lines:
            if self._cell(line, "currency"):
                continue
            try:
                marked = spend_values.read_amount(self._cell(line, "spend"), self._sign or spend_values.POINT)[1]
            except BadCell:
                continue
            if not marked:
                text = _("In which currency are the costs? Line %(line)d has none.") % {"line": line.number}
                return Question(name="currency", text=text, answers={})
        return None

    # Rows -------------------------------------------------------------------------------------------------------------

    def _rows(self) -> tuple[SpendRow, ...]:
        rows: dict[tuple[date, tuple[str, ...]], SpendRow] = {}
        for line in self._lines:
            try:
                row = self._row(line)
                before = rows.setdefault((row.day, row.key(self._level)), row)
                if before is not row:
                    self._again(before, row)
            except BadCell as error:
                self._refuse(line, str(error))
        taken = self._without_total(list(rows.values()))
        self._compare_with_total(taken)
        return tuple(taken)

    def _without_total(self, rows: list[SpendRow]) -> list[SpendRow]:
        """Take away a last row that is a total although it has a day: it has no id, says so, and is the sum."""
        if len(rows) < 3 or getattr(rows[-1], IDS[self._level]) or not is_total(getattr(rows[-1], NAMES[self._level])):
            return rows
        *others, last = rows
        if last.spend != sum(row.spend for row in others):
            return rows
        self._not_taken.append(NotTaken(line=last.line, reason=_("it is the total"), is_total=True))
        return others

    def _row(self, line: Line) -> SpendRow:
        day = spend_values.read_day(self._cell(line, "day"), self._order, today=self._today)
        spend, marked = spend_values.read_amount(self._cell(line, "spend"), self._sign)
        objects = {}
        for level in LEVELS:
            objects[IDS[level]] = spend_values.read_id(self._cell(line, IDS[level]))
            objects[NAMES[level]] = _name(self._cell(line, NAMES[level]))
        if not objects[IDS[self._level]] and not objects[NAMES[self._level]]:
            raise BadCell(_("it has no id and no name of its %(level)s") % {"level": level_words(self._level)})
        figures = {name: spend_values.read_figure(self._cell(line, name), self._sign) for name in self._figures}
        return SpendRow(
            day=day,
            spend=spend,
            currency=self._currency(line, marked),
            impressions=spend_values.read_count(self._cell(line, "impressions"), self._sign),
            clicks=spend_values.read_count(self._cell(line, "clicks"), self._sign),
            figures={name: text for name, text in figures.items() if text},
            line=line.number,
            **objects,
        )

    def _currency(self, line: Line, marked: str) -> str:
        written = self._cell(line, "currency") or marked or self._choices.currency
        try:
            return currency_code(written)
        except InvalidEvent:
            raise BadCell(_("its currency “%(code)s” is not known") % {"code": written[:10]}) from None

    # Decision: two different lines of one object and day refuse the file. They are either a breakdown (by age, by
    # placement) whose lines add up, or two campaigns of one name; the file does not say which, and a sum or the last
    # line would be wrong half of the time.
    def _again(self, before: SpendRow, row: SpendRow) -> None:
        same = (before.spend, before.currency, before.impressions, before.clicks, before.figures)
        if same == (row.spend, row.currency, row.impressions, row.clicks, row.figures):
            raise BadCell(_("it repeats line %(line)d") % {"line": before.line})
        text = _(
            "Lines %(first)d and %(second)d are about the same %(level)s and day, with different figures. Export with "
            "ids, by day, and without another breakdown such as age or placement."
        )
        words = {"first": before.line, "second": row.line, "level": level_words(self._level)}
        raise UnreadableSpend(text % words)

    def _compare_with_total(self, rows: Collection[SpendRow]) -> None:
        """Warn if a total says another sum than the lines, which shows a file that lost lines."""
        if len(self._totals) != 1 or len({row.currency for row in rows}) != 1:
            return
        try:
            told = spend_values.read_amount(self._cell(self._totals[0], "spend"), self._sign)[0]
        except BadCell:
            return
        found = sum((row.spend for row in rows), Decimal(0))
        if abs(told - found) > Decimal("0.01") * max(len(rows), 1):
            text = _("The total in the file is %(told)s, but the lines taken add up to %(found)s.")
            self._warnings.append(text % {"told": plain(told), "found": plain(found)})


def _name(cell: str) -> str:
    text = cell if cell.isprintable() else "".join(one if one.isprintable() else " " for one in cell).strip()
    return "" if text in spend_values.NOTHING else text[:MOST_NAME]


def _meanings(example: str, today: date) -> dict[str, str]:
    """Return the orders of a date, each with the day that it makes of the example."""
    labels: Mapping[str, Callable[[], str]] = {
        spend_values.DMY: lambda: _("day first"),
        spend_values.MDY: lambda: _("month first"),
    }
    found = {}
    for order, label in labels.items():
        try:
            found[order] = f"{label()}: {spend_values.read_day(example, order, today=today).isoformat()}"
        except BadCell:
            found[order] = label()
    return found


def _amount(cell: str, sign: str) -> str:
    try:
        return plain(spend_values.read_amount(cell, sign)[0])
    except BadCell as error:
        return str(error)
