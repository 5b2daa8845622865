"""Spend files: what is read, what is asked, what is refused with its reason; nothing is guessed or lost silently."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attribution.spend_samples import ENGLISH, TODAY
from tiktok_attribution.attribution import spend_table
from tiktok_attribution.attribution.spend_file import read_spend
from tiktok_attribution.attribution.spend_row import Choices, SpendFile, unread_columns
from tiktok_attribution.attribution.spend_table import UnreadableSpend


def read(text: str | bytes, **choices: Any) -> SpendFile:
    data = text if isinstance(text, bytes) else text.encode()
    return read_spend(data, Choices(**choices), today=TODAY)


def refusal(text: str | bytes, **choices: Any) -> str:
    with pytest.raises(UnreadableSpend) as refused:
        read(text, **choices)
    return str(refused.value)


def of(*lines: str, head: str = "Campaign ID,Date,Cost,Currency") -> str:
    return "\n".join((head, *lines, ""))


def asked(found: SpendFile) -> list[str]:
    return [question.name for question in found.questions]


def reasons(found: SpendFile) -> dict[int, str]:
    return {one.line: one.reason for one in found.not_taken}


# What is read ---------------------------------------------------------------------------------------------------------


def test_an_export_is_read_whole() -> None:
    found = read(ENGLISH)

    assert (found.level, found.questions, found.sums) == ("campaign", (), {"EUR": Decimal("50.00")})
    assert found.days == [date(2026, 3, 1), date(2026, 3, 2)]
    first = found.rows[0]
    assert (first.campaign_id, first.campaign_name, first.spend) == ("1700000000000001", "Spring", Decimal("12.34"))
    assert (first.impressions, first.clicks, first.line) == (1000, 20, 2)
    assert [(one.line, one.is_total) for one in found.not_taken] == [(5, True)]
    assert unread_columns(found) == ["Clicks (all)"]
    assert found.warnings == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_delimiters(encoding: str, delimiter: str, end: str) -> None:
    text = "Kampagnenname,Tag,Kosten,Währung\nFrühling 🌷 春,2026-03-01,12.34,EUR\n"
    found = read(text.replace(",", delimiter).replace("\n", end).encode(encoding))

    assert found.rows[0].campaign_name == "Frühling 🌷 春"
    assert found.sums == {"EUR": Decimal("12.34")}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Kampagnenname;Tag;Kosten;Währung\nFrühling;01.03.2026;12,34;EUR\n"),
        ("cp1252", "Nombre de la campaña;Día;Importe gastado;Divisa\nNiño;2026-03-01;12,34;EUR\n"),
        ("cp932", "キャンペーン名,日付,消化金額,通貨\n春のセール,2026/03/01,12.34,EUR\n"),
        ("utf-8", "キャンペーン名,日別,費用,通貨\n春,2026年3月1日,12.34,EUR\n"),
        ("utf-8", "sep=;\nCampaign;Day;Cost (EUR);Currency\nA;2026-03-01;12.34;EUR\n"),
        ("utf-8", "Report of March\n\nCampaign,Day,Cost,Currency\nA,2026-03-01,12.34,EUR\n"),
        ("utf-8", '"Campaign","Day","Cost","Currency"\n"A, ""B""","2026-03-01","12.34","EUR"\n'),
        ("utf-8", "stat_time_day,campaign_id,spend,currency\n2026-03-01 00:00:00,11,12.34,EUR\n"),
        ("utf-8", "  CAMPAIGN_ID , STAT_TIME_DAY,SPEND,currency\n11,2026-03-01,12.34,eur\n"),
    ],
)
def test_languages_and_forms(encoding: str, text: str) -> None:
    found = read(text.encode(encoding))

    assert (found.sums, found.days) == ({"EUR": Decimal("12.34")}, [date(2026, 3, 1)])


@pytest.mark.parametrize(
    ("head", "level"),
    [
        ("Campaign ID,Date,Cost", "campaign"),
        ("Campaign ID,Ad group ID,Date,Cost", "adgroup"),
        ("Campaign name,Ad group name,Ad name,Date,Cost", "ad"),
    ],
)
def test_the_finest_column_is_the_level(head: str, level: str) -> None:
    width = head.count(",") - 1
    found = read(of(",".join([*["11"] * width, "2026-03-01", "5.00"]), head=head), currency="EUR")

    assert found.level == level


def test_a_column_that_says_nothing_is_no_level() -> None:
    assert read(of("11,-,2026-03-01,5.00", head="Campaign ID,Ad ID,Date,Cost"), currency="EUR").level == "campaign"


def test_another_level_than_was_wanted_is_refused() -> None:
    assert refusal(ENGLISH, level="ad") == "It is a file by campaign, not by ad."


@pytest.mark.parametrize(
    ("cell", "spend"),
    [
        ("12.34", "12.34"),
        ('"1,234.56"', "1234.56"),
        ('"1.234,56"', "1234.56"),
        ('"1.234.567,8"', "1234567.8"),
        ('"12,3"', "12.3"),
        ("0.123", "0.123"),
        ("€12.34", "12.34"),
        ('"12,34 €"', "12.34"),
        ("EUR 12.34", "12.34"),
        ("1 234.56", "1234.56"),
        ("1\u202f234.56", "1234.56"),
        ("1’234.56", "1234.56"),
        ("12.340000000000002", "12.34"),
        ("0", "0"),
        ("1234", "1234"),
        ('"1,23,456.70"', "123456.7"),
    ],
)
def test_amounts(cell: str, spend: str) -> None:
    assert read(of(f"11,2026-03-01,{cell},EUR")).rows[0].spend == Decimal(spend)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2026-03-04", date(2026, 3, 4)),
        ("2026/3/4", date(2026, 3, 4)),
        ("20260304", date(2026, 3, 4)),
        ("2026-03-04T00:00:00Z", date(2026, 3, 4)),
        ("04.03.2026", date(2026, 3, 4)),
        ("4.3.26", date(2026, 3, 4)),
        ("2026年3月4日", date(2026, 3, 4)),
        ('"Mar 4, 2026"', date(2026, 3, 4)),
        ("4 March 2026", date(2026, 3, 4)),
        ("13/03/2026", date(2026, 3, 13)),
        ("03/13/2026", date(2026, 3, 13)),
        ("03-13-2026", date(2026, 3, 13)),
    ],
)
def test_days(cell: str, day: date) -> None:
    assert read(of(f"11,{cell},5.00,EUR")).days == [day]


@pytest.mark.parametrize("cell", ["1700000000000001", '"=""1700000000000001"""', "'1700000000000001"])
def test_ids_that_a_spreadsheet_kept_as_texts(cell: str) -> None:
    assert read(of(f"{cell},2026-03-01,5.00,EUR")).rows[0].campaign_id == "1700000000000001"


def test_figures_of_tiktok_are_kept() -> None:
    head = "Campaign ID,Date,Cost,Currency,Conversions,Complete payment value,complete_payment"
    row = read(of('11,2026-03-01,5.00,EUR,3,"1,200.50",-', head=head)).rows[0]

    assert row.figures == {"conversion": "3", "total_complete_payment_rate": "1200.5"}


# What is asked --------------------------------------------------------------------------------------------------------


def test_a_date_that_can_be_read_two_ways_is_asked() -> None:
    text = of("11,01/02/2026,5.00,EUR", "11,02/02/2026,6.00,EUR")
    found = read(text)

    assert (asked(found), found.rows) == (["dates"], ())
    assert found.questions[0].answers == {"dmy": "day first: 2026-02-01", "mdy": "month first: 2026-01-02"}
    assert read(text, dates="dmy").days == [date(2026, 2, 1), date(2026, 2, 2)]
    assert read(text, dates="mdy").days == [date(2026, 1, 2), date(2026, 2, 2)]


def test_one_date_beyond_the_twelfth_answers_for_all() -> None:
    assert read(of("11,01/02/2026,5.00,EUR", "11,14/02/2026,6.00,EUR")).days == [date(2026, 2, 1), date(2026, 2, 14)]


def test_dates_that_contradict_each_other_are_refused() -> None:
    assert "contradict" in refusal(of("11,13/02/2026,5.00,EUR", "11,02/14/2026,6.00,EUR"))


@pytest.mark.parametrize(("decimal", "spend"), [(".", "1.234"), (",", "1234")])
def test_an_amount_that_can_be_read_two_ways_is_asked(decimal: str, spend: str) -> None:
    text = of("11,2026-03-01,1.234,EUR", "12,2026-03-01,7,EUR")

    assert asked(read(text)) == ["decimal"]
    assert read(text).questions[0].answers == {".": "1.234", ",": "1234.00"}
    assert read(text, decimal=decimal).rows[0].spend == Decimal(spend)


def test_one_clear_amount_answers_for_all() -> None:
    assert read(of("11,2026-03-01,1.234,EUR", '12,2026-03-01,"7,5",EUR')).sums == {"EUR": Decimal("1241.5")}


def test_amounts_that_contradict_each_other_are_refused() -> None:
    assert "contradict" in refusal(of("11,2026-03-01,12.34,EUR", '12,2026-03-01,"12,34",EUR'))


def test_a_missing_currency_is_asked() -> None:
    text = of("11,2026-03-01,5.00,", "12,2026-03-01,6.00,EUR")

    assert asked(read(text)) == ["currency"]
    assert read(text, currency="USD").sums == {"EUR": Decimal(6), "USD": Decimal(5)}


def test_a_dollar_sign_is_no_currency_but_a_euro_sign_is() -> None:
    assert asked(read(of("11,2026-03-01,$5.00", head="Campaign ID,Date,Cost"))) == ["currency"]
    assert read(of("11,2026-03-01,€5.00", head="Campaign ID,Date,Cost")).sums == {"EUR": Decimal(5)}


def test_a_person_maps_what_is_not_recognised() -> None:
    text = of("Spring,2026-03-01,5.00", head="Reihe,Wann,Geld")
    assert "no column of days" in refusal(text)

    columns = {"campaign_name": "Reihe", "day": "Wann", "spend": "Geld"}
    assert read(text, currency="EUR", columns=columns).rows[0].campaign_name == "Spring"


def test_a_person_may_say_that_a_column_is_not_meant() -> None:
    text = of("11,5,2026-03-01,5.00", head="Campaign ID,Ad,Date,Cost")
    assert read(text, currency="EUR", columns={"ad_name": ""}).level == "campaign"


@pytest.mark.parametrize("columns", [{"nonsense": "Date"}, {"day": "Nowhere"}])
def test_a_mapping_to_nothing_is_refused(columns: dict[str, str]) -> None:
    assert refusal(ENGLISH, columns=columns)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "It is empty."),
        (b"  \n \n", "It is empty."),
        (b"PK\x03\x04rest", "Export it as CSV."),
        (b"\xd0\xcf\x11\xe0rest", "Export it as CSV."),
        (b"%PDF-1.7", "Export it as CSV."),
        (b"\x1f\x8b\x08", "Unpack it first."),
        (b"<!DOCTYPE html><html>", "It is a web page, not a CSV."),
        (b'{"code": 0}', "It is JSON"),
        (b"Campaign ID,Date,Cost\n1\x001,2026-03-01,5\n", "NUL"),
        ("Campaign ID,Date,Cost\nFrühling".encode("utf-16")[:-1], "cut off"),
        ("Campaign ID,Date,Cost\nFrühling,März,€".encode()[:-1], "cut off"),
        ('Campaign ID,Date,Cost\n11,"2026-03', "cut off"),
        ("Campaign ID,Date,Cost\n", "no lines"),
        ("Campaign ID,Cost\n11,5\n", "Export by day"),
        ("Campaign ID,Date\n11,2026-03-01\n", "no column of costs"),
        ("Date,Cost\n2026-03-01,5\n", "no campaign, ad group or ad"),
        ("Campaign ID,Date,Cost\n11,2026-03-01 ~ 2026-03-31,5\n", "Export by day"),
        ("Campaign ID,Date,Cost,Cost\n11,2026-03-01,5,6\n", "Two columns are called “Cost”"),
        ("Campaign ID,Date,Cost\n1.7E+15,2026-03-01,5\n", "rounded numbers"),
        ("Campaign ID;Date;Cost\n1,70123E+18;2026-03-01;5\n", "rounded numbers"),
        ("Campaign ID,Date,Cost\n1700000000000000.0,2026-03-01,5\n", "rounded numbers"),
    ],
)
def test_a_file_that_is_refused_says_why(text: str | bytes, words: str) -> None:
    assert words in refusal(text)


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "MB" in refusal(b"a" * (spend_table.MOST_BYTES + 1))
    assert "too long" in refusal("Campaign ID,Date,Cost\n" + "x" * 6000)
    assert "too long" in refusal("," * 300 + "\n")
    monkeypatch.setattr(spend_table, "MOST_LINES", 2)
    assert "more than 2 lines" in refusal(of(*["11,2026-03-01,5,EUR"] * 40))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("11,,5.00,EUR", "it has no day"),
        ("11,2026-02-30,5.00,EUR", "its day can't be read"),
        ("11,soon,5.00,EUR", "its day can't be read"),
        ("11,46082,5.00,EUR", "its day is a spreadsheet's number: format that column as YYYY-MM-DD"),
        ("11,2026-12-24,5.00,EUR", "its day lies in the future"),
        ("11,2001-01-01,5.00,EUR", "its day lies before TikTok's first ads"),
        ("11,2026-03-01,-5.00,EUR", "its cost is negative"),
        ("11,2026-03-01,(5.00),EUR", "its cost is negative"),
        ("11,2026-03-01,-,EUR", "it has no cost"),
        ("11,2026-03-01,free,EUR", "its cost is no number"),
        ("11,2026-03-01,NaN,EUR", "its cost is no number"),
        ("11,2026-03-01,9999999999999,EUR", "its cost is too high to be one day's"),
        ("11,2026-03-01,1.2E+03,EUR", "its cost was shortened by a spreadsheet: export the file again"),
        ("11,2026-03-01," + "1" * 80 + ",EUR", "its cost is no number"),
        ("11,2026-03-01,5.00,XYZ", "its currency “XYZ” is not known"),
        ("eleven,2026-03-01,5.00,EUR", "an id is no number"),
        (",2026-03-01,5.00,EUR", "it has no id and no name of its campaign"),
        ("11,2026-03-01,5.00", "it has 3 cells, and the heading has 4"),
        ("11,2026-03-01,5,00,EUR", "it has 5 cells, and the heading has 4"),
        ("12,2026-03-01,1.50,EUR", "it repeats line 2"),
    ],
)
def test_a_line_that_is_not_taken_is_listed_with_its_reason(cells: str, reason: str) -> None:
    found = read(of("12,2026-03-01,1.50,EUR", cells, "13,2026-03-01,2.00,EUR"))

    assert found.sums == {"EUR": Decimal("3.50")}
    (told,) = reasons(found).values()
    assert told.startswith(reason)
    assert list(reasons(found)) == [3]


def test_two_different_lines_of_one_object_and_day_refuse_the_file() -> None:
    assert "Lines 2 and 3 are about the same campaign and day" in refusal(
        of("11,2026-03-01,5.00,EUR", "11,2026-03-01,6.00,EUR")
    )


def test_two_campaigns_of_one_name_without_ids_refuse_the_file() -> None:
    head = "Campaign name,Date,Cost,Currency"
    assert "Export with ids" in refusal(of("A,2026-03-01,5.00,EUR", "A,2026-03-01,6.00,EUR", head=head))
    with_ids = of("1,A,2026-03-01,5.00,EUR", "2,A,2026-03-01,6.00,EUR", head=f"Campaign ID,{head}")
    assert len(read(with_ids).rows) == 2


@pytest.mark.parametrize(
    "total", ["Total of 2 results,,,11.00,EUR", "Gesamt,-,-,11.00,EUR", ",合計,,11.00,EUR", "Total,-,Total,11.00,EUR"]
)
def test_a_total_is_no_campaign(total: str) -> None:
    head = "Campaign name,Campaign ID,Date,Cost,Currency"
    found = read(of("A,1,2026-03-01,5.00,EUR", "B,2,2026-03-01,6.00,EUR", total, head=head))

    assert (found.sums, [one.is_total for one in found.not_taken]) == ({"EUR": Decimal(11)}, [True])


def test_a_total_with_a_day_is_known_by_its_sum() -> None:
    head = "Campaign name,Date,Cost,Currency"
    lines = ("A,2026-03-01,5.00,EUR", "B,2026-03-02,6.00,EUR")

    assert read(of(*lines, "Total,2026-03-02,11.00,EUR", head=head)).sums == {"EUR": Decimal(11)}
    assert read(of(*lines, "Total,2026-03-02,11.01,EUR", head=head)).sums == {"EUR": Decimal("22.01")}


def test_ads_of_one_name_in_two_campaigns_are_two() -> None:
    head = "Campaign ID,Campaign name,Ad name,Date,Cost,Currency"
    found = read(of("1,A,Dog,2026-03-01,5.00,EUR", "2,A,Dog,2026-03-01,6.00,EUR", head=head))
    assert len(found.rows) == 2


def test_a_campaign_called_total_is_one() -> None:
    found = read(of("Total sale,1,2026-03-01,5.00,EUR", head="Campaign name,Campaign ID,Date,Cost,Currency"))
    assert (found.rows[0].campaign_name, found.not_taken) == ("Total sale", ())


def test_a_total_that_says_more_than_the_lines_is_told() -> None:
    (warning,) = read(ENGLISH.replace("Summer,1700000000000002,2026-03-01,30.00,EUR,2500,40,44\n", "")).warnings
    assert warning == "The total in the file is 50.00, but the lines taken add up to 20.00."


def test_half_a_file_is_told() -> None:
    found = read(of("11,2026-03-01,5.00,EUR") + "12,2026-03-0")

    assert list(reasons(found)) == [3]
    assert "cut off" in reasons(found)[3]
    assert "cut off" in found.warnings[0]


def test_ids_that_all_end_in_zeros_are_told() -> None:
    assert "rounded" in read(of("1700000000000000000,2026-03-01,5.00,EUR")).warnings[0]


def test_names_are_cut_and_cleaned() -> None:
    found = read(
        of(
            f'"{"x" * 300}",2026-03-01,5.00,EUR',
            '"a\x1b[31m\nb",2026-03-01,5.00,EUR',
            head="Campaign,Date,Cost,Currency",
        )
    )
    assert [row.campaign_name for row in found.rows] == ["x" * 250, "a [31m b"]


# Anything -------------------------------------------------------------------------------------------------------------

CELLS = st.one_of(
    st.sampled_from(["", "-", "11", "2026-03-01", "01/02/2026", "1.234", "1,5", "Total", "EUR", "1.7E+15", '"', "€5"]),
    st.text(max_size=12),
)
TABLES = st.lists(st.lists(CELLS, max_size=6), max_size=6)


@given(TABLES, st.sampled_from(["utf-8", "utf-16", "cp1252"]))
def test_no_file_is_an_error_and_no_line_is_lost(lines: list[list[str]], encoding: str) -> None:
    text = "Campaign,Campaign ID,Date,Cost,Currency\n" + "\n".join(",".join(cells) for cells in lines)
    try:
        found = read(text.encode(encoding, "replace"), dates="dmy", decimal=".", currency="EUR")
    except UnreadableSpend:
        return
    taken = [row.line for row in found.rows]
    assert not set(taken) & set(reasons(found))
    assert len(taken) == len(set(taken))
    assert all(row.spend >= 0 and row.day <= TODAY for row in found.rows)


@given(st.binary(max_size=300))
def test_no_bytes_are_an_error(data: bytes) -> None:
    with suppress(UnreadableSpend):
        read(data)


@pytest.mark.hostile
@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "evil", [" " * 4990, "2026-03-01" + " " * 4980, "1.2" * 1600, "1" * 4990, "total" * 998, "(" * 4990, "1e" * 2490]
)
def test_no_cell_keeps_a_worker_busy(place: int, evil: str) -> None:
    lines = []
    for number in range(100):
        cells = [str(number), "2026-03-01", "5.00", "EUR"]
        cells[place] = evil
        lines.append(",".join(cells))
    started = time.process_time()
    with suppress(UnreadableSpend):
        read(of("x,2026-03-01,1.50,EUR", *lines), dates="dmy", decimal=".", currency="EUR")
    assert time.process_time() - started < 2


def test_a_large_file_takes_seconds_at_most() -> None:
    lines = itertools.islice(itertools.cycle(["11"]), 20_000)
    text = of(*(f"{place},2026-03-01,1.5,EUR" for place, _ in enumerate(lines, 1)))
    assert len(read(text).rows) == 20_000
