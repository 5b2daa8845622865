"""The list of voucher codes in the admin, and their table in the report."""

from __future__ import annotations

import html
import re
import time
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from tests.admin.conversion_samples import conversion
from tests.admin.samples import HOSTILE, with_settings
from tests.attribution.report_samples import PIXEL, on_both_clocks
from tests.attribution.samples import worked
from tiktok_attribution.models import DailyCode, VoucherCode

pytestmark = pytest.mark.django_db
LIST = "/admin/tiktok_attribution/vouchercode/"
REPORT = "/admin/tiktok_attribution/attributionreport/"


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=True)


def add(client: Client, **values: str) -> str:
    """What the page says after a code was posted."""
    response = client.post(f"{LIST}add/", {"code": "ANNA10", "creator": "", **values}, follow=True)
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def codes(client: Client, **parameters: str) -> str:
    """The report's table of codes; "" without one."""
    body = re.sub(r"\s+", " ", html.unescape(client.get(REPORT, parameters).content.decode()))
    return body.partition('id="tiktok-codes"')[2].partition("</section>")[0]


def test_a_code_is_added_changed_and_deleted(boss: Client) -> None:
    add(boss, creator="Anna")
    voucher = VoucherCode.objects.get()
    boss.post(f"{LIST}{voucher.pk}/change/", {"code": "Anna15", "creator": "Anna K."})
    voucher.refresh_from_db()

    assert (voucher.code, voucher.folded, voucher.creator) == ("Anna15", "anna15", "Anna K.")
    boss.post(f"{LIST}{voucher.pk}/delete/", {"post": "yes"})
    assert not VoucherCode.objects.exists()
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize("code", ["ANNA10", "anna10", " Anna10 "])
def test_one_code_is_not_entered_twice(boss: Client, code: str) -> None:
    add(boss)

    assert "This code is in the list already" in add(boss, code=code)
    assert VoucherCode.objects.count() == 1


@pytest.mark.parametrize("code", ["", "   ", "x" * 101])
def test_what_is_no_code_is_refused(boss: Client, code: str) -> None:
    assert "errornote" in add(boss, code=code)
    assert not VoucherCode.objects.exists()


def test_the_report_shows_what_a_creator_brought(boss: Client) -> None:
    conversion(code="anna10", at=int(time.time()) - 60)
    conversion(code="ANNA10", at=int(time.time()) - 60, is_reversed=True)
    conversion(code="other", at=int(time.time()) - 60)
    add(boss, creator="Anna K.", campaign_name="Spring")
    worked()
    told = codes(boss, period="28", event="all")

    assert "ANNA10" in told
    assert "Anna K." in told
    assert "Spring" in told
    assert "100.00 EUR" in told
    assert "other" not in told
    assert codes(boss, period="last-month") == ""


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("term", "found"), [("anna", 1), ("kim", 1), ("ben", 0), ("x" * 100_000, 0), ("a " * 60_000, 0)]
)
def test_the_search_survives_every_text(boss: Client, term: str, found: int) -> None:
    add(boss, creator="Kim")

    response = boss.get(LIST, {"q": term})
    assert (response.status_code, response.context["cl"].result_count) == (200, found)


def test_its_texts_are_harmless(boss: Client) -> None:
    for hostile in HOSTILE:
        add(boss, code=hostile, creator=hostile, campaign_name=hostile)
        day = {"day": timezone.localdate(), "shop": PIXEL, "name": "Purchase"}
        DailyCode.objects.create(**day, folded=hostile.casefold(), currency="EUR", conversions=1, value=5)
    on_both_clocks(1, day=timezone.localdate())
    for address in (LIST, f"{REPORT}?period=7", f"{LIST}{VoucherCode.objects.latest('pk').pk}/change/"):
        body = boss.get(address).content.decode()
        assert "alert(1)" in body or "onerror" in body
        assert not any(hostile in body for hostile in HOSTILE)
