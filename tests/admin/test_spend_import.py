"""The page that imports spend: nothing without a preview, what is ambiguous is asked, everything is escaped."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from tests.admin.samples import HOSTILE, confirmed_upload
from tests.attribution.spend_samples import ADVERTISER, ENGLISH, imported, row
from tiktok_attribution.admin import spend_page
from tiktok_attribution.attribution.spend import effective_spend
from tiktok_attribution.models import SpendImport

pytestmark = pytest.mark.django_db
AMBIGUOUS = "Campaign ID,Date,Cost\n11,01/02/2026,1.234\n"


@pytest.fixture
def address() -> str:
    return reverse("admin:tiktok_attribution_spend_import")


@pytest.fixture
def list_of_imports() -> str:
    return reverse("admin:tiktok_attribution_spendimport_changelist")


def uploaded(
    client: Client, address: str, text: str | bytes = ENGLISH, *, name: str = "march.csv", **fields: str
) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    return client.post(address, {"advertiser": ADVERTISER, "file": file, **fields})


def fields_of(response: Any) -> dict[str, str]:
    """The hidden fields and chosen options of the page's form, as a browser would post them."""
    html = response.content.decode()
    found = dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)"', html))
    for name, options in re.findall(r'<select name="([\w-]+)"[^>]*>(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r"<option(?: value=\"([^\"]*)\")? selected>([^<]*)", options)
        found[name] = chosen[2] if chosen else ""
    return {name: unescape(value) for name, value in found.items() if name != "csrfmiddlewaretoken"}


def spent() -> Decimal:
    return sum((one.spend for one in effective_spend(date(2020, 1, 1), date(2030, 1, 1))), Decimal(0))


def test_an_upload_shows_a_preview_and_imports_nothing(boss: Client, address: str) -> None:
    page = uploaded(boss, address)
    html = page.content.decode()

    assert page.context["page"].sums == "50.00 EUR"
    for words in ("Preview: nothing is imported yet", "1700000000000001", "it is the total", "Clicks (all)"):
        assert words in html
    assert not SpendImport.objects.exists()


def test_the_button_imports_what_was_seen(boss: Client, address: str, list_of_imports: str) -> None:
    page = uploaded(boss, address)
    done = boss.post(address, {**fields_of(page), "confirmed": "1"}, follow=True)

    assert done.redirect_chain == [(list_of_imports, 302)]
    assert "Imported: 50.00 EUR" in done.content.decode()
    made = SpendImport.objects.get()
    assert (made.file_name, made.rows, spent()) == ("march.csv", 3, Decimal(50))
    assert "superuser" not in made.user_label  # a name may be an e-mail address
    assert "(superuser)" in boss.get(f"{list_of_imports}{made.pk}/change/").content.decode()


def test_what_was_changed_since_the_preview_is_shown_again(boss: Client, address: str) -> None:
    fields = fields_of(uploaded(boss, address))
    page = boss.post(address, {**fields, "column-spend": "Impressions", "confirmed": "1"})

    assert page.status_code == 200
    assert page.context["page"].sums == "4400.00 EUR"
    assert not SpendImport.objects.exists()


def test_an_upload_can_not_confirm_itself(boss: Client, address: str) -> None:
    assert uploaded(boss, address, confirmed="1").status_code == 200
    assert uploaded(boss, address, confirmed="1", seen="").status_code == 200
    assert not SpendImport.objects.exists()


def test_what_is_ambiguous_is_asked(boss: Client, address: str) -> None:
    page = uploaded(boss, address, AMBIGUOUS)
    html = page.content.decode()
    for words in ("day first: 2026-02-01", "month first: 2026-01-02", "1234.00", "In which currency"):
        assert words in html

    answers = {"dates": "mdy", "decimal": ",", "currency": "eur"}
    again = boss.post(address, {**fields_of(page), **answers})
    assert again.context["page"].sums == "1234.00 EUR"
    boss.post(address, {**fields_of(again), "confirmed": "1"})
    assert [(one.day, one.spend) for one in effective_spend(date(2026, 1, 1), date(2026, 12, 1))] == [
        (date(2026, 1, 2), Decimal(1234))
    ]


def test_columns_can_be_chosen_when_none_is_recognised(boss: Client, address: str) -> None:
    page = uploaded(boss, address, "Reihe,Wann,Geld\nA,2026-03-01,5.00\n", currency="EUR")
    assert "no column of days" in page.content.decode()

    columns = {"column-campaign_name": "Reihe", "column-day": "Wann", "column-spend": "Geld"}
    assert boss.post(address, {**fields_of(page), **columns}).context["page"].sums == "5.00 EUR"


def test_the_settings_give_accounts_and_currency(boss: Client, address: str, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": {ADVERTISER: {"currency": "GBP"}}}

    assert f'value="{ADVERTISER}"' in boss.get(address).content.decode()
    assert uploaded(boss, address, "Campaign,Date,Cost\nA,2026-03-01,5\n").context["page"].sums == "5.00 GBP"


def test_the_same_file_is_told_and_has_no_button(boss: Client, address: str) -> None:
    boss.post(address, dict(confirmed_upload()))
    page = uploaded(boss, address)

    assert "already" in page.content.decode()
    assert 'name="confirmed"' not in page.content.decode()
    assert boss.post(address, dict(confirmed_upload())).status_code == 200
    assert SpendImport.objects.count() == 1


def test_what_it_replaces_is_told(boss: Client, address: str) -> None:
    imported(row(1, "8"), row(1, "2", campaign_id="12"), row(20))
    assert "2 rows: 10.00 EUR" in uploaded(boss, address).content.decode()


def test_a_finer_level_that_counts_instead_is_told(boss: Client, address: str) -> None:
    imported(row(1, "42.34", ad_id="31"), row(20, ad_id="31"), level="ad")
    page = uploaded(boss, address)

    assert "1 of these days has spend by a finer level too" in page.content.decode()
    boss.post(address, {**fields_of(page), "confirmed": "1"})
    assert {(one.day.day, one.level) for one in effective_spend(date(2026, 3, 1), date(2026, 3, 2))} == {
        (1, "ad"),
        (2, "campaign"),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04", "Excel workbook"),
        (b"", "It is empty."),
        ("Campaign,Cost\nA,5\n", "Export by day"),
        ("Campaign ID,Date,Cost\n1.7E+15,2026-03-01,5\n", "rounded numbers"),
    ],
)
def test_a_file_that_is_refused_says_why(boss: Client, address: str, content: str | bytes, words: str) -> None:
    html = uploaded(boss, address, content).content.decode()
    assert "The file can&#x27;t be imported." in html or "The file can't be imported." in html
    assert words in html


@pytest.mark.parametrize("advertiser", ["", "abc", "7" * 33, "\u0667", "7 7"])
def test_an_account_that_is_none_is_refused(boss: Client, address: str, advertiser: str) -> None:
    page = uploaded(boss, address, advertiser=advertiser)
    assert "Enter the advertiser id" in page.content.decode()


@pytest.mark.hostile
@pytest.mark.parametrize("evil", [*HOSTILE, "{{ 1 }}", "javascript:alert(1)"])
def test_nothing_of_a_file_is_markup(boss: Client, address: str, list_of_imports: str, evil: str) -> None:
    quoted = '"' + evil.replace('"', '""') + '"'
    text = f"Campaign,Date,Cost,Currency,{quoted}\n{quoted},2026-03-01,5,EUR,\n{quoted},{quoted},5,{quoted},\n"
    page = uploaded(boss, address, text, name=f"{evil[:20].replace('/', '')}.csv")
    done = boss.post(address, {**fields_of(page), "confirmed": "1"}, follow=True)
    opened = boss.get(f"{list_of_imports}{SpendImport.objects.get().pk}/change/")

    for answer in (page, done, opened):
        html = answer.content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html


@pytest.mark.hostile
@pytest.mark.parametrize("packed", ["!", "QUJD", "a" * 999, ""])
def test_a_broken_hidden_file_is_refused(boss: Client, address: str, packed: str) -> None:
    page = boss.post(address, {"advertiser": ADVERTISER, "packed": packed})
    assert "Choose the file again." in page.content.decode() or "Choose a file." in page.content.decode()


@pytest.mark.hostile
def test_a_packed_bomb_is_bounded(boss: Client, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spend_page, "MOST_BYTES", 100_000)
    bomb = base64.b64encode(zlib.compress(b"a" * 50_000_000)).decode()
    assert len(spend_page._unpacked(bomb)) == 100_001


def test_a_file_that_is_too_large_is_refused(
    boss: Client, address: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(spend_page, "MOST_BYTES", 100)
    assert "has more than" in uploaded(boss, address).content.decode()
    monkeypatch.undo()
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_100
    assert "Import it with manage.py tiktok_spend" in uploaded(boss, address).content.decode()


def test_an_import_can_be_undone_on_its_page(boss: Client, list_of_imports: str) -> None:
    imported(row(1, "1"))
    made = imported(row(1, "2"))
    page = boss.get(f"{list_of_imports}{made.pk}/change/")
    assert "Undo this import" in page.content.decode()
    assert "1 of 1 count now" in page.content.decode()

    done = boss.post(reverse("admin:tiktok_attribution_spend_undo", args=[made.pk]), follow=True)
    assert "is undone" in done.content.decode()
    assert spent() == 1
    assert "Undo this import" not in boss.get(f"{list_of_imports}{made.pk}/change/").content.decode()
    again = boss.post(reverse("admin:tiktok_attribution_spend_undo", args=[made.pk]), follow=True)
    assert "was undone before" in again.content.decode()
    assert boss.post(reverse("admin:tiktok_attribution_spend_undo", args=[made.pk + 99])).status_code == 404


def test_viewers_see_the_list_without_buttons(
    client_of: Callable[..., Client], list_of_imports: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.admin import conftest  # noqa: PLC0415 -- the table of people is pytest's own module

    monkeypatch.setitem(conftest.PEOPLE, "viewer", ("view_spendimport",))
    made = imported(row(1))
    client = client_of("viewer")

    assert "Import a CSV" not in client.get(list_of_imports).content.decode()
    assert "Undo this import" not in client.get(f"{list_of_imports}{made.pk}/change/").content.decode()
