"""What strangers send, from the landing to page, table and JSON of the report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from tests.attribution.samples import worked
from tests.attribution.shop_site import ASKED, BACKEND, FROM_TIKTOK, JOINED, Browser, ads, asked
from tests.attribution.spend_samples import ADVERTISER, imported, row
from tiktok_attribution.attribution.spend import Origin, import_rows
from tiktok_attribution.attribution.spend_file import read_spend
from tiktok_attribution.attribution.spend_row import Choices
from tiktok_attribution.models import LandingCount, RecordedConversion, Touch
from tiktok_attribution.touches.counting import counts
from tiktok_attribution.visitor.visitor_key import COOKIE

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.hostile]
PAGE = "/admin/tiktok_attribution/attributionreport/"
SPRING = "1700000000000001"

HOSTILE = {
    "html": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "template": "{{ 7*7 }}{% debug %}",
    "sql": "'; DROP TABLE tiktok_attribution_touch; --",
    "percent": "%s%(x)s%",
    "formula": '=HYPERLINK("https://evil.example";"x")',
    "plus": "+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "line": "a\r\n=1+1",
    "zero": "a\x00b",
    "terminal": "\x1b[31mred\x1b]0;title\x07",
    "direction": "a\u202eb",
    "wide": "\U0001f45f\U0001f45f",
    "named": "~spring",
    "long": "x" * 5000,
    "json": '"}],"rows":[]',
}


@pytest.fixture(autouse=True)
def _shop(settings: Any, configure: Configure) -> None:
    cache.clear()
    settings.ROOT_URLCONF = "tests.attribution.shop_site"
    configure(JOINED, CONSENT=ASKED)


def lines_of(table: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.lstrip("\ufeff"))))


def see_everything(admin_client: Client, **names: str) -> None:
    """Open every form of the report; nothing of a hostile text may act in it."""
    for by in ("campaign", "adgroup", "ad", "placement", "landing"):
        page = admin_client.get(PAGE, {"by": by, "windows": "1"})
        assert page.status_code == 200
        text = page.content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "49{%" not in text
        table = admin_client.get(f"{PAGE}export/", {"by": by})
        assert table.status_code == 200
        for line in lines_of(table.getvalue().decode() if hasattr(table, "getvalue") else table.content.decode()):
            for cell in line:
                assert not cell.lstrip().startswith(("=", "+", "@")), cell
                assert not cell.startswith(("\t", "\r")), cell
        for key in [one.key for one in asked(by=by).rows] if by in ("campaign", "adgroup") else ():
            assert admin_client.get(PAGE, {"by": "ad", by: key}).status_code == 200
        out, words = StringIO(), StringIO()
        call_command("tiktok_report", by=by, json=True, stdout=out)
        assert len(json.loads(out.getvalue())["rows"]) == len(asked(by=by).rows)
        call_command("tiktok_report", by=by, stdout=words)
        assert "\x1b" not in words.getvalue()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_campaign_name_stays_a_text(case: str, admin_client: Client) -> None:
    text = quote(HOSTILE[case])
    visitor = Browser()
    visitor.land(
        f"ttclid=E.C.P.x&utm_source={text}&utm_medium={text}&utm_campaign={text}&utm_content={text}&utm_term={text}"
        f"&tt_adgroup={text}&tt_ad={text}&tt_placement={text}"
    )
    touch = Touch.objects.get()
    assert len(touch.campaign_name) <= 250
    assert all(sign.isprintable() for sign in touch.campaign_name) or case == "direction"
    visitor.buy()
    worked()
    assert ads().conversions == 1
    see_everything(admin_client)


@pytest.mark.parametrize("case", [case for case in HOSTILE if case not in ("line", "zero", "long")])
def test_a_hostile_name_in_a_spend_file_stays_a_text(case: str, admin_client: Client) -> None:
    out = io.StringIO()
    today = date.today().isoformat()  # noqa: DTZ011
    csv.writer(out).writerows(
        [
            ["Campaign ID", "Campaign name", "By day", "Cost", "Currency"],
            [SPRING, HOSTILE[case], today, "5.25", "EUR"],
        ]
    )
    found = read_spend(out.getvalue().encode(), Choices(), today=date.today())  # noqa: DTZ011
    assert not found.questions
    assert [one.spend for one in found.rows] == [Decimal("5.25")]
    import_rows(ADVERTISER, found.level, found.rows, origin=Origin(source="csv", file_name=HOSTILE[case]))
    see_everything(admin_client)
    spend = admin_client.get("/admin/tiktok_attribution/spendimport/")
    assert spend.status_code == 200
    assert "<script>alert" not in spend.content.decode()


def test_made_up_ids_and_names_take_no_spend_and_no_click_from_a_campaign() -> None:
    """Of ids with one name, the one that TikTok's spend names is meant. An address is a stranger's text."""
    imported(row(date.today(), "60.00", campaign_id=SPRING, campaign_name="Spring"))  # noqa: DTZ011
    for query in ("utm_campaign=Spring", "utm_campaign=Spring&utm_id=999999999999999"):
        visitor = Browser()
        visitor.land(f"ttclid=x&{query}")
        visitor.buy()
    worked()
    found = {one.key: (one.figures.conversions, one.figures.spend, one.name) for one in asked().rows}
    assert found == {SPRING: (1, {"EUR": 60}, "Spring"), "999999999999999": (1, {}, "Spring")}


def test_names_and_paths_that_differ_are_different_on_every_database() -> None:
    for name, path in (("Cafe", "/shoes/"), ("Caf\u00e9", "/SHOES/")):
        visitor = Browser()
        visitor.land(f"ttclid={quote(name)}&utm_source=tiktok&utm_medium=cpc&utm_campaign={quote(name)}", to=path)
        visitor.buy()
    worked()
    assert {one.name for one in asked().rows} == {"Cafe", "Caf\u00e9"}
    assert {one.key for one in asked(by="landing").rows} == {"/shoes/", "/SHOES/"}


def test_a_flood_of_made_up_clicks_is_counted_and_not_stored() -> None:
    for number in range(35):
        Browser().land(f"ttclid=made-up-{number}")
    counts.flush()
    assert Touch.objects.count() == 20
    assert dict(LandingCount.objects.values_list("outcome", "count")) == {"stored": 20, "over_limit": 15}
    worked()
    assert asked().totals.landings == 20


@pytest.mark.parametrize("value", ["", "x", "0" * 32, f"{'0' * 32}:{'A' * 43}", "a" * 5000, "\x00", "' OR 1=1"])
def test_a_forged_cookie_gives_no_one_elses_click(value: str) -> None:
    Browser().land()
    stranger = Browser()
    stranger.client.cookies[COOKIE] = value
    stranger.buy()
    worked()
    assert RecordedConversion.objects.get().visitor_key is None
    assert ads().conversions == 0


def test_a_cookie_that_was_cut_gives_nothing() -> None:
    visitor = Browser()
    visitor.land()
    whole = visitor.client.cookies[COOKIE].value
    for value in (whole[:-1], whole[:32], whole.upper(), f"{whole}x"):
        visitor.client.cookies[COOKIE] = value
        visitor.buy()
    worked()
    assert RecordedConversion.objects.count() == 4
    assert ads().conversions == 0


ROBOT = {"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}


@pytest.mark.parametrize(
    "headers",
    [
        ROBOT,
        {"HTTP_SEC_PURPOSE": "prefetch"},
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"HTTP_PURPOSE": "preview"},
        {"HTTP_SEC_FETCH_DEST": "iframe"},
        {"HTTP_SEC_GPC": "1"},
        {"REQUEST_METHOD": "HEAD"},
        {"REQUEST_METHOD": "POST"},
    ],
)
def test_what_no_visitor_opens_is_no_touch(headers: dict[str, str]) -> None:
    visitor = Browser()
    visitor.land(**headers)
    visitor.client.cookies["tiktok_consent"] = "granted"
    assert not Touch.objects.exists()
    assert COOKIE not in visitor.client.cookies


def test_a_private_path_and_staff_are_no_touch(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, PRIVATE_PATHS=["/private/"])
    Browser().land(to="/private/")
    colleague = Browser()
    colleague.client.force_login(get_user_model().objects.create_user("c", is_staff=True), backend=BACKEND)
    colleague.land()
    assert not Touch.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        "ttclid=" + "x" * 1001,
        "ttclid=" + "x" * 100_000,
        "ttclid=%00&utm_source=%ff%fe",
        "ttclid=%ED%A0%80",
        "ttclid",
        "ttclid=",
        "&".join(["ttclid=x"] * 10_000),
        "utm_source=tiktok&utm_medium=" + "cpc" * 50_000,
    ],
)
def test_no_address_breaks_a_page(query: str) -> None:
    answer = Client().get(f"/?{query}", **{**FROM_TIKTOK, "HTTP_COOKIE": "tiktok_consent=granted"})
    assert answer.status_code == 200
    assert Touch.objects.count() <= 1
