"""`tiktok_report` prints the figures of the page, and refuses what no report can be."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.attribution.report_samples import DAY, PURCHASE, SPRING, credit, on_both_clocks, spend

pytestmark = pytest.mark.django_db
PERIOD = (f"--from={DAY}", f"--to={DAY}")


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("tiktok_report", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed(*arguments, "--json"))
    return found


def test_a_program_reads_texts_of_decimals() -> None:
    on_both_clocks(2, "150.00", campaign_id=SPRING, refunded="10.00")
    on_both_clocks(1, "30.00", traffic="")
    spend("60.00", PURCHASE)
    found = as_json(*PERIOD)
    (row,) = found["rows"]
    assert (row["id"], row["name"], row["conversions"], row["spend"]) == (SPRING, "Spring", "2", {"EUR": "60.00"})
    assert (row["value"], row["refunded"], row["roas"]) == ({"EUR": "150.00"}, {"EUR": "10.00"}, "2.5000")
    assert (row["cpa"], row["tiktok_conversions"], row["difference"]) == ("30.00", "3", "1")
    assert (found["blended_roas"], found["conversions"]) == (
        "3.0000",
        {"ads": "2", "organic": "0", "other": "0", "without": "1"},
    )
    assert (found["from"], found["event"], found["spend_known_until"]) == ("2026-03-02", "Purchase", "2026-03-02")


def test_what_is_unknown_is_null() -> None:
    credit(campaign_id=SPRING, is_new=None)
    (row,) = as_json(*PERIOD)["rows"]
    assert (row["cpa"], row["roas"], row["new_customers"], row["tiktok_conversions"]) == (None, None, None, None)


def test_people_read_a_table() -> None:
    credit(campaign_id=SPRING)
    spend()
    lines = printed(*PERIOD).splitlines()
    assert lines[0] == "2026-03-02 to 2026-03-02, Purchase, last_tiktok, 7 days, by the day of the conversion"
    assert lines[3].split() == ["Spring", "50.00", "EUR", "1", "100.00", "EUR", "2.00", "50.00", "EUR"]
    assert lines[-1] == "Spend known until: 2026-03-02"


def test_a_name_can_not_steer_the_terminal() -> None:
    credit(campaign_name="a\x1b[31m\x07b")
    text = printed(*PERIOD)
    assert "\x1b" not in text
    assert "\x07" not in text


def test_without_options_it_is_the_last_seven_days() -> None:
    found = as_json()
    assert (found["from"], found["to"]) == (str(timezone.localdate() - timedelta(days=6)), str(timezone.localdate()))
    assert (found["event"], found["rows"]) == ("", [])


def test_each_option_reaches_the_report() -> None:
    credit(campaign_id=SPRING, model="linear", window=28, clock="click", name="Lead", is_new=False, landing_path="/a/")
    options = (
        "--model=linear",
        "--window=28",
        "--clock=click",
        "--event=Lead",
        "--customers=returning",
        "--by=landing",
    )
    (row,) = as_json(*PERIOD, *options, "--pixel=C0EXAMPLE0000000000")["rows"]
    assert (row["name"], row["conversions"]) == ("/a/", "1")
    assert as_json(*PERIOD, *options, "--pixel=C0OTHER")["rows"] == []
    assert as_json(*PERIOD, "--event=all")["event"] == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--from=2026-03-02", "--to=2026-03-01"], "comes after"),
        (["--from=2020-01-01", "--to=2026-03-01"], "longer than 400"),
        (["--from=0001-01-01", "--to=0001-01-02"], "No such day"),
        (["--from=9999-12-30", "--to=9999-12-31"], "No such day"),
        (["--window=3"], "one of 1, 7, 14, 28"),
        (["--model=position"], "invalid choice"),
        (["--from=tomorrow"], "invalid"),
        (["--by=creative"], "invalid choice"),
    ],
)
def test_what_can_be_no_report_is_refused(options: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        printed(*options)
