"""CSV that a spreadsheet may open: no cell of it is taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """An apostrophe before what would be computed (OWASP, CSV Injection); plain numbers stay as they are."""
    text = "" if value is None else str(value)
    is_number = isinstance(value, int | float)
    return f"'{text}" if not is_number and text.lstrip(" ").startswith(RISKY) else text


def csv_text(rows: Iterable[Sequence[object]], *, mark: bool = True) -> str:
    """`mark` is that by which Excel knows UTF-8, for the beginning of a file."""
    out = StringIO()
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return "\ufeff" * mark + out.getvalue()
