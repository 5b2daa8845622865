"""Read the bytes of a CSV file as a table of texts: encoding, delimiter, heading, lines.

It knows nothing of spend but which headings are recognised, by which it finds encoding, delimiter and heading line.
Everything is bounded, and a file that is no CSV is refused with what to do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tiktok_attribution.attribution.spend_columns import recognise
from tiktok_attribution.exceptions import TikTokAttributionError

MOST_BYTES = 10_000_000
MOST_LINES = 100_000
MOST_COLUMNS = 200
MOST_CELL = 5_000
_BEFORE_HEADING = 20
"""Lines in which the heading is looked for: exports may begin with a title and a period."""

_OTHER_FILES = (
    (b"PK\x03\x04", gettext_lazy("It is an Excel workbook or another ZIP file, not a CSV. Export it as CSV.")),
    (b"\xd0\xcf\x11\xe0", gettext_lazy("It is an old Excel workbook, not a CSV. Export it as CSV.")),
    (b"%PDF", gettext_lazy("It is a PDF, not a CSV. Export it as CSV.")),
    (b"\x1f\x8b", gettext_lazy("It is compressed. Unpack it first.")),
)


class UnreadableSpend(TikTokAttributionError, ValueError):
    """A spend file that can't be imported. The message says why, and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the file: its number, counted from 1 as an editor shows it, and its cells."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A file as texts. `is_cut` is True if the last line has no end and fewer cells than the heading."""

    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    encoding: str
    delimiter: str
    is_cut: bool


def read_table(data: bytes) -> Table:
    """Read a CSV. Raises UnreadableSpend with the reason if it is no CSV or is too large."""
    _refuse_other_files(data)
    ways = [(text, encoding, delimiter) for encoding, text in _decoded(data) for delimiter in _delimiters(text)]
    if not ways:
        raise UnreadableSpend(_("Its letters can't be read. Save it as UTF-8."))
    text, encoding, delimiter = max(ways, key=lambda way: _score(way[0], way[2]))
    return _parsed(text, encoding, delimiter)


def _refuse_other_files(data: bytes) -> None:
    if not data.strip():
        raise UnreadableSpend(_("It is empty."))
    if len(data) > MOST_BYTES:
        text = _("It has more than %(most)d MB. Export a shorter period.")
        raise UnreadableSpend(text % {"most": MOST_BYTES // 1_000_000})
    for magic, words in _OTHER_FILES:
        if data.startswith(magic):
            raise UnreadableSpend(str(words))
    start = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise UnreadableSpend(_("It is a web page, not a CSV. Perhaps the download had no access. Export it again."))
    if start.startswith((b"{", b"[")):
        raise UnreadableSpend(_("It is JSON, not a CSV. Export it as CSV."))


def _decoded(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the file's text in each encoding that it may have; the first that fits is the likeliest."""
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            # A character that is cut at the end, after others of UTF-8: no other encoding would read those rightly.
            is_cut = error.reason == "unexpected end of data" and not data[3 : error.start].isascii()
            if encoding.startswith("utf-16") or is_cut:
                raise UnreadableSpend(_("It ends within a character: the file was cut off. Export it again.")) from None
            continue
        if "\0" in text:
            raise UnreadableSpend(_("It has NUL bytes, so it is not a text file. Export it as CSV."))
        yield encoding, text
        if not encoding.startswith("cp"):
            return


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    start = data[:2000]
    if start[1::2].count(0) > len(start) // 4:
        return ("utf-16-le",)
    if start[::2].count(0) > len(start) // 4:
        return ("utf-16-be",)
    # Western and Japanese Excel write these two; which one it is shows in the headings.
    return ("utf-8-sig", "cp1252", "cp932")


def _delimiters(text: str) -> tuple[str, ...]:
    first = text.lstrip("\ufeff").partition("\n")[0].strip().lower()
    if first.startswith("sep=") and len(first) == 5:  # Excel's own first line
        return (first[4],)
    return (",", ";", "\t")


def _score(text: str, delimiter: str) -> tuple[int, int]:
    """Return how many headings the first lines have when they are split at this sign, and how many cells."""
    lines = text[: _BEFORE_HEADING * MOST_CELL].splitlines()[:_BEFORE_HEADING]
    found = [cells for line in lines for cells in csv.reader([line], delimiter=delimiter)]
    return max((len(recognise(cells)) for cells in found), default=0), max(map(len, found), default=0)


def _parsed(text: str, encoding: str, delimiter: str) -> Table:
    lines: list[Line] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if len(cells) > MOST_COLUMNS or any(len(cell) > MOST_CELL for cell in cells):
                raise UnreadableSpend(
                    _("Line %(line)d is too long to be a line of a report.") % {"line": reader.line_num}
                )
            if any(cell.strip() for cell in cells) and not (len(cells) == 1 and cells[0].lower().startswith("sep")):
                lines.append(Line(number=reader.line_num, cells=tuple(cell.strip() for cell in cells)))
            if len(lines) > MOST_LINES + _BEFORE_HEADING:
                text = _("It has more than %(most)d lines. Export a shorter period.")
                raise UnreadableSpend(text % {"most": MOST_LINES})
    except csv.Error as error:
        # The csv module says "unexpected end of data" for an open quote.
        if "end of data" in str(error):
            raise UnreadableSpend(_("It ends within a quoted text: the file was cut off. Export it again.")) from None
        raise UnreadableSpend(_("Line %(line)d can't be read as CSV.") % {"line": reader.line_num}) from None
    if not lines:
        raise UnreadableSpend(_("It is empty."))
    place = _heading(lines)
    headings = lines[place].cells
    last = lines[-1]
    is_cut = not text.endswith(("\n", "\r")) and len(last.cells) < len(headings) and len(lines) > place + 1
    return Table(
        headings=headings, lines=tuple(lines[place + 1 :]), encoding=encoding, delimiter=delimiter, is_cut=is_cut
    )


def _heading(lines: list[Line]) -> int:
    """Return the place of the line in which most columns are recognised; the first line if none has any."""
    found = [len(recognise(line.cells)) for line in lines[:_BEFORE_HEADING]]
    return found.index(max(found))
