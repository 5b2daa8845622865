"""`tiktok_spend`: a preview first, questions only on a terminal, and nothing imported without a yes."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.attribution.spend_samples import ADVERTISER, ENGLISH
from tiktok_attribution.attribution.spend import effective_spend
from tiktok_attribution.management.commands import tiktok_spend
from tiktok_attribution.models import SpendImport

pytestmark = pytest.mark.django_db
AMBIGUOUS = "Campaign ID,Date,Cost\n11,01/02/2026,1.234\n"


@pytest.fixture
def spend_file(tmp_path: Path) -> Any:
    def written(content: str | bytes = ENGLISH) -> str:
        path = tmp_path / "march.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return written


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A terminal at which these answers are typed."""

    def answers(*texts: str) -> list[str]:
        left = list(texts)
        monkeypatch.setattr(tiktok_spend, "_is_terminal", lambda: True)
        monkeypatch.setattr("builtins.input", lambda _prompt: left.pop(0))
        return left

    return answers


def run(*arguments: str, advertiser: str = ADVERTISER) -> str:
    told = StringIO()
    account = (f"--advertiser={advertiser}",) if advertiser else ()
    call_command("tiktok_spend", *arguments, *account, stdout=told)
    return told.getvalue()


def spent() -> Decimal:
    return sum((one.spend for one in effective_spend(date(2020, 1, 1), date(2030, 1, 1))), Decimal(0))


def test_without_a_yes_it_only_shows(spend_file: Any) -> None:
    told = run(spend_file())

    assert "3 rows by campaign, 2026-03-01 to 2026-03-02 (2 days): 50.00 EUR" in told
    assert "2026-03-01  1700000000000001 Spring  12.34 EUR" in told
    assert "Columns that are not read: Clicks (all)" in told
    assert "Line 5 is not taken: it is the total" in told
    assert "Nothing was imported. Run it with --yes to import." in told
    assert not SpendImport.objects.exists()


def test_with_a_yes_it_imports_and_says_how_to_undo(spend_file: Any) -> None:
    told = run(spend_file(), "--yes")
    made = SpendImport.objects.get()

    assert f"--undo {made.pk}" in told
    assert (made.file_name, made.user_label, spent()) == ("march.csv", "tiktok_spend", Decimal(50))
    assert "is undone" in run(f"--undo={made.pk}", advertiser="")
    assert spent() == 0
    with pytest.raises(CommandError, match="undone before"):
        run(f"--undo={made.pk}")
    assert "50.00 EUR" in run("--list")
    assert "(undone)" in run("--list")


def test_the_same_file_twice_is_told_and_not_imported(spend_file: Any) -> None:
    run(spend_file(), "--yes")
    assert "This file is import" in run(spend_file(), "--yes")
    assert SpendImport.objects.count() == 1


def test_it_says_what_it_replaces(spend_file: Any) -> None:
    run(spend_file(), "--yes")
    assert "It replaces 3 rows: 50.00 EUR" in run(spend_file(ENGLISH.replace("12.34", "13.34")))


def test_on_a_terminal_it_asks(spend_file: Any, typed: Any) -> None:
    left = typed("nonsense", "dmy", ",", "eur", "y")
    told = run(spend_file(AMBIGUOUS))

    assert left == []
    assert "day first: 2026-02-01" in told
    assert (spent(), effective_spend(date(2026, 1, 1), date(2026, 12, 1))[0].day) == (Decimal(1234), date(2026, 2, 1))


def test_a_no_imports_nothing(spend_file: Any, typed: Any) -> None:
    typed("n")
    run(spend_file())
    assert not SpendImport.objects.exists()


def test_without_a_terminal_it_says_what_to_give(spend_file: Any) -> None:
    with pytest.raises(CommandError) as refused:
        run(spend_file(AMBIGUOUS), "--yes")

    assert "Give --dates: dmy (day first: 2026-02-01); mdy (month first: 2026-01-02)." in str(refused.value)
    assert "Give --decimal" in str(refused.value)
    assert "Give --currency." in str(refused.value)
    run(spend_file(AMBIGUOUS), "--dates=mdy", "--decimal=.", "--currency=USD", "--yes")
    assert spent() == Decimal("1.234")


def test_the_settings_give_account_and_currency(spend_file: Any, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": {ADVERTISER: {"currency": "GBP"}}}
    run(spend_file("Campaign ID,Date,Cost\n11,2026-03-01,5\n"), "--yes", advertiser="")

    assert SpendImport.objects.get().sums == '{"GBP": "5.00"}'


def test_columns_can_be_named(spend_file: Any) -> None:
    run(
        spend_file("Reihe,Wann,Geld\nA,2026-03-01,5.00\n"),
        *("--column=campaign_name=Reihe", "--column=day=Wann"),
        "--column=spend=Geld",
        "--currency=EUR",
        "--yes",
    )
    assert spent() == 5


def test_the_preview_as_json(spend_file: Any) -> None:
    told = json.loads(run(spend_file(), "--json"))

    assert (told["sums"], told["rows"], told["level"], told["days"]) == ({"EUR": "50.00"}, 3, "campaign", 2)
    assert told["not_taken"] == [{"line": 5, "reason": "it is the total", "is_total": True}]
    assert not SpendImport.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give one of"),
        (("x.csv", "--list"), "Give one of"),
        (("/nowhere/at/all.csv",), "No such file"),
        (("--undo=99999",), "no import 99999"),
    ],
)
def test_what_can_not_be_done_is_said(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)


@pytest.mark.parametrize("advertiser", ["", "abc", "7" * 40, "\u0667"])
def test_an_account_that_is_none_is_refused(spend_file: Any, advertiser: str) -> None:
    with pytest.raises(CommandError, match="--advertiser"):
        run(spend_file(), advertiser=advertiser)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"Campaign,Cost\nA,5\n", b""])
def test_a_file_that_is_refused_says_why(spend_file: Any, content: bytes) -> None:
    with pytest.raises(CommandError, match="The file can't be imported"):
        run(spend_file(content), "--yes")


@pytest.mark.hostile
def test_no_text_of_a_file_moves_the_cursor(spend_file: Any) -> None:
    told = run(
        spend_file("Campaign,Date,Cost,Currency,\x1b]0;x\x07\n\x1b[2J,2026-03-01,5,EUR,\n\x1b[2J,\x1b[2J,5,\x1b[2J,\n")
    )
    assert "\x1b" not in told
