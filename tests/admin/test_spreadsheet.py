"""No cell of a CSV is a formula, in whatever way a spreadsheet splits it."""

from __future__ import annotations

import csv
import io
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tiktok_attribution.admin.formatting import FILLERS, SEPARATORS, SIGNS, UNSEEN, cell, csv_text, guarded

pytestmark = pytest.mark.hostile
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.IGNORECASE)

Row = list[object]
signs = st.sampled_from([*SIGNS, "=1+1", "-5", "+49 30", '=HYPERLINK("http://x")', "@SUM(A1)"])
between = st.sampled_from([*SEPARATORS, "\r\n", *FILLERS, " ", "\xa0", "\u200b", "\ufeff", "\0", "\u0301", "'", '""'])
texts = st.lists(st.one_of(signs, between, st.text(max_size=3)), max_size=8).map("".join)
numbers = st.one_of(st.integers(), st.decimals(), st.floats())
rows = st.lists(st.lists(st.one_of(texts, texts, numbers, st.none()), min_size=1, max_size=4), min_size=1, max_size=4)


def cells(text: str, separator: str) -> Iterator[str]:
    """As a spreadsheet with this separator may see them: going by the quotes, and not going by them."""
    body = text.removeprefix("\ufeff").replace("\0", "")  # csv in Python 3.10 takes no NUL
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        for row in csv.reader(io.StringIO(body, newline=""), delimiter=separator, quoting=quoting):
            yield from row


def computed(one: str) -> bool:
    """Whether it begins with a sign, once blanks, marks and quotes are gone and wide forms are folded."""
    if NUMBER.fullmatch(one):
        return False
    seen = [char for char in one if unicodedata.category(char) not in UNSEEN and char not in FILLERS]
    first = unicodedata.normalize("NFKC", seen[0]) if seen else ""
    folded = unicodedata.normalize("NFKC", one).lstrip()
    return first.startswith(tuple("=+-@")) or (folded.startswith(tuple("=+-@")) and not NUMBER.fullmatch(folded))


@settings(max_examples=400, deadline=None)
@given(rows)
@example([["x;=1+1"]])
@example([["x\t=1+1", "a|=1"]])
@example([["\uff1d1"], ["a\uff1b\uff1d1"]])
@example([["\xa0=1"], ["\u200b=1"], ["\ufeff=1"], ["\0=1"], ["\u3164=1"]])
@example([['x;"=1'], ['"=1'], ['a,"\n=1']])
@example([["a\r\n=1", "a\n\r\n =1"], [-5, "x;", "=1"]])
@example([["x\n", -5], [float("-inf"), Decimal("-Infinity")]])
def test_no_cell_is_a_formula_for_any_separator(rows: list[Row]) -> None:
    text = csv_text(rows)
    for separator in (",", ";", "\t", "|"):
        assert [one for one in cells(text, separator) if computed(one)] == []


@given(texts)
def test_nothing_but_apostrophes_is_added(text: str) -> None:
    given_back = iter(guarded(text))

    assert all(any(one == char for one in given_back) for char in text)
    assert guarded(text).replace("'", "") == text.replace("'", "")


@given(st.one_of(st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.none()))
def test_a_number_stays_what_it_is_but_at_the_beginning_of_a_line(value: object) -> None:
    written = "" if value is None else str(value)

    assert cell(value) == written
    assert cell(value, first=True) == (f"'{written}" if written.startswith("-") else written)


@pytest.mark.parametrize(
    "text", ["order-42", "2026-11-29T12:00:00+01:00", "ann@example.com", "a,b;c", "Tea, green – 50 %", "x; y=1", ""]
)
def test_what_no_spreadsheet_computes_is_left_alone(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1", "'=1"),
        ("x;=1+1", "x;'=1+1"),
        ("\t=1", "'\t'=1"),
        ("+49 30 1", "'+49 30 1"),
        ("-5.00 EUR", "'-5.00 EUR"),
        ("a; =1, @b", "a;' =1,' @b"),
        (Decimal("-5.5"), "-5.5"),
        (float("-inf"), "'-inf"),
    ],
)
def test_where_the_apostrophe_stands(text: object, written: str) -> None:
    assert cell(text) == written


def test_the_signs_and_separators_are_all_that_unicode_folds_to_them() -> None:
    def folded_to(wanted: str) -> set[str]:
        every = (chr(code) for code in range(sys.maxunicode + 1))
        return {one for one in every if unicodedata.normalize("NFKC", one)[:1] in tuple(wanted)}

    assert set(SIGNS) == folded_to("=+-@")
    assert set(SEPARATORS) == folded_to(",;|\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


@pytest.mark.parametrize("piece", [";", ";=", '"', " ", "\xa0=", "=", "\u0301", ";\u3164", "'", "a;"])
def test_a_long_text_takes_linear_time(piece: str) -> None:
    def seconds(times: int) -> float:
        text = piece * times + "x"
        started = time.process_time()
        guarded(text)
        return time.process_time() - started

    seconds(1000)
    # A text of visitors is 1000 characters at most; quadratic time over 200,000 would be minutes.
    assert seconds(200_000 // len(piece)) < 10
