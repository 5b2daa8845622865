"""CSV that a spreadsheet may open: no cell of it is taken for a formula, whatever separates its cells.

The file has commas. A spreadsheet splits it at whatever the machine's region says (Excel in most of Europe: at
semicolons), and then quotes stand in the middle of its cells and hold nothing together: a text such as "x;=1+1" becomes
two cells, the second of which is a formula. So an apostrophe stands not only before a text that would be computed
(OWASP, CSV Injection) but also after each separator within it. It stays visible. No other character is changed; a NUL
is left out, for Python 3.10 can't write it.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import StringIO

# With every character that Unicode's compatibility form (NFKC) makes one of the first four: full-width, small,
# superscript, subscript. A test compares both lists with Unicode's own tables.
SIGNS = "=+-@\u207a\u207c\u208a\u208c\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
SEPARATORS = ",;|\t\n\r\v\f\x1c\x1d\x1e\x85\u037e\u2028\u2029\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b\uff5c"
_LETTERS = "\u115f\u1160\u3164\uffa0"
FILLERS = f'"\u2800{_LETTERS}'
"""The quote, which only its own separator takes away, and blanks that Unicode calls symbols or letters."""
UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
"""Categories of what shows nothing, and may be dropped, before the character that counts."""

# Most cells have no sign where one would matter, and this says so in linear time: a run ends at a separator, and no
# character is in two of its classes.
_SUSPECT = re.compile(rf"(?:^|[{SEPARATORS}])(?:[^\w{SEPARATORS}]|[{_LETTERS}])*[{re.escape(SIGNS)}]")


def csv_text(rows: Iterable[Sequence[object]], *, mark: bool = True) -> str:
    """The rows as text. `mark` is that by which Excel knows UTF-8, for the beginning of a file."""
    out = StringIO()
    csv.writer(out).writerows([cell(value, first=not place) for place, value in enumerate(row)] for row in rows)
    return "\ufeff" * mark + out.getvalue()


def cell(value: object, *, first: bool = False) -> str:
    """The value as the text of a cell.

    A number stays a number, a negative one too: "-5" alone computes to itself. A text that looks like one ("+49 30 …")
    is guarded, and so is a negative number that is `first` in its line, for with another separator the whole line is
    one cell that begins with it.
    """
    text = "" if value is None else str(value).replace("\0", "")
    return text if _is_number(value) and not first else guarded(text)


def guarded(text: str) -> str:
    """The text with an apostrophe at its beginning, and after each separator, where a formula would begin."""
    if not _SUSPECT.search(text):
        return text
    pieces, done = [], 0
    start: int | None = 0  # of the cell that begins here for some separator, as long as nothing of it is seen
    is_blank = True
    for place, one in enumerate(text):
        if one in SEPARATORS:
            start = place + 1
        elif start is None or _is_unseen(one):
            continue
        else:
            if one in SIGNS:
                pieces += ["'" if is_blank and start else "", text[done:start], "'"]
                done = start
            start, is_blank = None, False
    return "".join([*pieces, text[done:]])


def _is_unseen(one: str) -> bool:
    return one in FILLERS or unicodedata.category(one) in UNSEEN


def _is_number(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
