"""The attribution page: figures, addresses good and bad, escaping, bounds, its CSV, and the builder of links."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from tests.admin.attribution_samples import fill_attribution
from tests.admin.samples import HOSTILE, with_settings
from tests.attribution.report_samples import DAY, PIXEL, PURCHASE, SPRING, SUMMER, credit, on_both_clocks, spend
from tiktok_attribution.admin import attribution_query, attribution_table
from tiktok_attribution.admin.attribution_page import AttributionPage
from tiktok_attribution.admin.attribution_query import PARAMETERS, SORTS
from tiktok_attribution.admin.attribution_table import number, percent, signed
from tiktok_attribution.admin.charts import scale_top, side_by_side, stacked
from tiktok_attribution.attribution.report_query import CLOCKS, LEVELS, MODELS, PRESETS
from tiktok_attribution.models import SuppressedCount

pytestmark = pytest.mark.django_db
PAGE = "/admin/tiktok_attribution/attributionreport/"
EXPORT, LINK = f"{PAGE}export/", f"{PAGE}link/"
PERIOD = {"from": str(DAY), "to": str(DAY)}


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> date:
    """The days of the samples are in the past of every test."""
    monkeypatch.setattr(attribution_query, "today_of", lambda shop, now: DAY)
    return DAY


def page_of(client: Client, **parameters: str) -> AttributionPage:
    response = client.get(PAGE, {**PERIOD, **parameters})
    assert response.status_code == 200
    page: AttributionPage = response.context["page"]
    return page


def text_of(client: Client, place: str = PAGE, **parameters: str) -> str:
    response = client.get(place, {**PERIOD, **parameters} if place == PAGE else parameters)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(response.content.decode()))


def tiles(page: AttributionPage) -> dict[str, tuple[str, str]]:
    return {str(tile.title): (" ".join(tile.lines), tile.change) for tile in page.tiles}


def cells(page: AttributionPage, title: str) -> dict[str, str]:
    (line,) = [line for line in page.table.lines if line.title == title]
    titles = page.table.windows + [str(head.title) for head in page.table.heads]
    return dict(zip(titles, (" ".join(cell.lines) for cell in line.cells), strict=True))


# Figures ---------------------------------------------------------------------------------------------------------


def test_a_tile_has_one_dash_at_most_for_what_is_unknown(boss: Client) -> None:
    credit(2, "150.00", campaign_id=SPRING)
    spend("100.00")
    before = re.findall(r'<dd class="tiktok-tile-before">(.*?)</dd>', text_of(boss))
    shown = [re.sub(r"<[^>]*>", "", one).strip() for one in before]
    assert (shown[0], shown[2]) == ("–", "0")


def test_the_headline_has_both_returns_and_the_change(boss: Client) -> None:
    yesterday = DAY - timedelta(days=1)
    on_both_clocks(2, "150.00", campaign_id=SPRING)
    on_both_clocks(1, "50.00", traffic="")
    spend("100.00")
    on_both_clocks(1, "50.00", campaign_id=SPRING, day=yesterday)
    spend("80.00", day=yesterday)
    found = tiles(page_of(boss))
    assert found["Spend"] == ("100.00 EUR", "+25 %")
    assert found["Net value"] == ("150.00 EUR", "+200 %")
    assert found["Conversions"] == ("2", "+100 %")
    assert found["Attributed ROAS"][0] == "1.50"
    assert found["Blended ROAS"][0] == "2.00"
    assert found["CPA"] == ("50.00 EUR", "\N{MINUS SIGN}38 %")
    assert found["CAC"][0] == "50.00 EUR"


def test_a_row_shows_a_dash_for_no_cost_and_no_zero(boss: Client) -> None:
    credit(campaign_name="Untold")
    row = cells(page_of(boss), "Untold")
    assert (row["Spend"], row["CPA"], row["ROAS"], row["Clicks"]) == ("–", "–", "–", "–")
    assert (row["Conversions"], row["Net value"]) == ("1", "100.00 EUR")


def test_currencies_stand_one_below_the_other(boss: Client) -> None:
    credit(campaign_id=SPRING)
    credit(campaign_id=SPRING, currency="USD")
    spend()
    page = page_of(boss)
    row = cells(page, "Spring")
    assert (row["Net value"], row["ROAS"]) == ("100.00 EUR 100.00 USD", "–")
    assert any("several currencies" in note for note in page.notes)
    assert page.chart.others == ["USD"]


def test_tiktoks_figures_stand_beside_with_the_difference_split(boss: Client) -> None:
    on_both_clocks(1, campaign_id=SPRING)
    spend("50.00", {**PURCHASE, "vta_complete_payment": "1"})
    page = page_of(boss)
    row = cells(page, "Spring")
    assert (row["TikTok: conversions"], row["TikTok: value"], row["TikTok: ROAS"]) == ("3", "210.50 EUR", "4.21")
    assert row["TikTok minus site"] == "+2"
    assert page.table.lines[0].cells[-1].remarks == ["views +1", "not explained +1"]
    assert ("not explained", "+1") in [(str(title), text) for title, text in page.comparison]


def test_a_site_that_sees_clicks_says_so(boss: Client) -> None:
    credit()
    assert "A site sees clicks, never views" in text_of(boss)


def test_the_footer_adds_up(boss: Client) -> None:
    credit("1.5", campaign_id=SPRING)
    credit(2, traffic="")
    credit("0.5", traffic="organic")
    footer = [(str(title), conversions) for title, conversions, *_ in page_of(boss).footer]
    assert footer == [
        ("With a click on a TikTok ad", "1.5"),
        ("From TikTok, without an ad", "0.5"),
        ("From another source", "0"),
        ("Without a touch in the window", "2"),
        ("All conversions", "4"),
    ]


def test_the_last_tiktok_click_calls_no_visitor_of_an_unpaid_post_one_without_a_touch(boss: Client) -> None:
    credit(campaign_id=SPRING)
    credit(2, traffic="")
    footer = [(str(line.title), line.conversions) for line in page_of(boss).footer]
    assert footer == [
        ("With a click on a TikTok ad", "1"),
        ("Without a click on a TikTok ad in the window", "2"),
        ("All conversions", "3"),
    ]


def test_spend_that_is_not_split_says_so(boss: Client) -> None:
    spend("50.00")
    (line,) = page_of(boss, by="ad").table.lines
    assert (line.title, line.remark) == ("Unknown ad", "With spend that is known for a wider level only.")
    assert [" ".join(cell.lines) for cell in line.cells][5:8] == ["–", "–", "–"]


def test_beside_the_sum_stands_what_it_has_and_has_not(boss: Client) -> None:
    credit(campaign_id="", refunded="12.50")
    credit(2, traffic="", is_erased=True)
    SuppressedCount.objects.create(day=DAY, pixel_code=PIXEL, name="Purchase", reason="denied", count=4)
    beside = [text for _title, text in page_of(boss).beside]
    assert beside == ["1", "12.50 EUR", "2", "4", "0"]


def test_yen_have_no_decimals(boss: Client) -> None:
    credit(value="1250", currency="JPY", campaign_id=SPRING, campaign_name="Spring")
    assert cells(page_of(boss), "Spring")["Net value"] == "1,250 JPY"


def test_young_days_and_days_without_spend_are_told(boss: Client) -> None:
    credit()
    spend(day=DAY - timedelta(days=1))
    notes = " ".join(page_of(boss).notes)
    assert "Spend is known until March 1, 2026." in notes
    assert "Days from March 2, 2026 are not final" in notes
    assert "ATTRIBUTION is off" in notes


def test_the_chart_has_a_scale_and_a_table(boss: Client) -> None:
    credit(campaign_id=SPRING)
    spend("50.00")
    page = page_of(boss)
    assert page.chart.scale == ["100.00 EUR", "50.00 EUR", "0.00 EUR"]
    assert [(bar.kind, bar.y, bar.height) for bar in page.chart.bars] == [
        ("spend", "50.00", "50.00"),
        ("value", "0.00", "100.00"),
    ]
    text = text_of(boss)
    assert "As a table" in text
    assert '<desc id="tiktok-chart-text">The scale ends at 100.00 EUR.' in text


@pytest.mark.parametrize(
    ("most", "top"), [("0", "1"), ("0.7", "1"), ("1", "1"), ("1.2", "2"), ("23", "25"), ("260", "500"), ("999", "1000")]
)
def test_a_scale_ends_at_a_round_number(most: str, top: str) -> None:
    assert scale_top(Decimal(most)) == Decimal(top)


def test_bars_of_nothing_are_none() -> None:
    assert side_by_side([{"spend": 0, "value": -3}], 0) == stacked([{"a": 0}], 0) == []


def test_geometry_is_the_same_in_every_language(boss: Client, settings: Any) -> None:
    settings.LANGUAGE_CODE = "de"
    credit(value="33.33")
    with translation.override("de"):
        text = text_of(boss)
    assert "33,33 EUR" in text
    assert not re.search(r' (x|y|width|height|x1|x2)="[^"]*,', text)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (1500, "1,500"), (date.max.year, "9,999"), (-2, "\N{MINUS SIGN}2")]
)
def test_a_number_is_short(value: Any, text: str) -> None:
    assert number(value) == text


def test_halves_and_signs() -> None:
    half = Decimal("0.5")
    assert (number(half), signed(half), signed(-half), signed(None), percent(-half)) == (
        *("0.5", "+0.5", "\N{MINUS SIGN}0.5", "–", "\N{MINUS SIGN}50.0 %"),
    )


# Addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        *({"period": key, "from": "", "to": ""} for key in PRESETS),
        *({"by": level} for level in LEVELS),
        *({"model": model} for model in MODELS),
        *({"clock": clock} for clock in CLOCKS),
        *({"sort": sign + name} for name in SORTS for sign in ("", "-")),
        *({"window": window} for window in ("1", "14", "28")),
        {"customers": "new"},
        {"customers": "returning"},
        {"windows": "1"},
        {"event": "all"},
        {"event": "Lead"},
        {"pixel": PIXEL},
        {"campaign": SPRING, "by": "adgroup"},
        {"campaign": "", "by": "adgroup"},
        {"campaign": "~spring", "adgroup": "11", "by": "ad"},
    ],
)
def test_every_state_is_an_address_that_leads_to_itself(boss: Client, parameters: dict[str, str]) -> None:
    fill_attribution(DAY)
    page = page_of(boss, **parameters)
    assert page.asked.problems == []
    again = boss.get(PAGE, page.asked.parameters).context["page"]
    assert (again.asked.query, again.asked.sort, again.asked.with_windows) == (
        page.asked.query,
        page.asked.sort,
        page.asked.with_windows,
    )


def test_all_links_of_the_page_lead_to_pages(boss: Client) -> None:
    on_both_clocks(1, campaign_id=SPRING, campaign_name="Spring & <co>", adgroup_id="11", ad_id="111")
    on_both_clocks(1, campaign_name="A name = with & signs?")
    body = boss.get(PAGE, {**PERIOD, "by": "adgroup", "campaign": SPRING}).content.decode()
    body += boss.get(PAGE, PERIOD).content.decode()
    links = {html.unescape(link) for link in re.findall(r'href="(\?[^"]*)"', body)}
    assert len(links) > 20
    for link in links:
        response = boss.get(PAGE + link)
        assert (response.status_code, response.context["page"].asked.problems) == (200, []), link


def test_a_campaign_leads_to_its_ad_groups_and_they_to_their_ads(boss: Client) -> None:
    credit(1, campaign_name="Spring & co", adgroup_name="Women", ad_name="Video")
    credit(1, campaign_name="Summer", adgroup_name="Men", ad_name="Photo")
    found = []
    address = "?" + "&".join(f"{name}={value}" for name, value in PERIOD.items())
    while address:
        page = boss.get(PAGE + address).context["page"]
        line = next(line for line in page.table.lines if line.title in ("Spring & co", "Women", "Video"))
        found.append(([one.title for one in page.table.lines], [str(link.title) for link in page.trail]))
        address = f"?{line.address}" if line.address else ""
    assert found == [
        (["Spring & co", "Summer"], []),
        (["Women"], ["All campaigns", "Spring & co"]),
        (["Video"], ["All campaigns", "Spring & co", "Women"]),
    ]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"model": "position"}, "model"),
        ({"window": "3"}, "window"),
        ({"window": "7 "}, "window"),
        ({"clock": "server"}, "clock"),
        ({"by": "creative"}, "by"),
        ({"sort": "password"}, "sort"),
        ({"customers": "all"}, "customers"),
        ({"pixel": "C0NOSUCH"}, "pixel"),
        ({"windows": "2"}, "windows"),
        ({"event": "NoSuchEvent"}, "event"),
        ({"campaign": "x" * 300}, "campaign"),
        ({"period": "century", "from": "", "to": ""}, "period"),
        ({"from": "2026-02-30", "to": ""}, "can't be read"),
        ({"from": "yesterday"}, "can't be read"),
        ({"from": "2026-W01-1"}, "can't be read"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "exchanged"),
        ({"from": "2020-01-01"}, "last 400 days"),
        ({"from": "0001-01-01", "to": "0001-01-02"}, "cut"),
        ({"from": "9999-12-30", "to": "9999-12-31"}, "cut"),
        ({"utm_source": "x"}, "does not know"),
    ],
)
def test_a_bad_address_gives_a_page_and_says_so_and_no_file(
    boss: Client, parameters: dict[str, str], problem: str
) -> None:
    credit()
    page = page_of(boss, **parameters)
    assert problem in " ".join(page.asked.problems)
    assert page.asked.query.days <= 400
    assert boss.get(PAGE, page.asked.parameters).context["page"].asked.problems == []
    refused = boss.get(EXPORT, {**PERIOD, **parameters})
    assert (refused.status_code, problem in refused.content.decode()) == (400, True)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", [*PARAMETERS, "nonsense"])
def test_no_value_of_an_address_becomes_markup(boss: Client, name: str, hostile: str) -> None:
    credit()
    response = boss.get(PAGE, {**PERIOD, name: hostile})
    assert response.status_code == 200
    assert hostile not in response.content.decode()


def test_a_window_that_the_settings_no_longer_have_gives_the_usual_one(boss: Client, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION={"windows": [3, 30], "window": 30})
    page = page_of(boss, window="7")
    assert page.asked.query.window == 30
    assert len(page.asked.problems) == 1


# What visitors wrote ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostile", [*HOSTILE, "{{ 7|add:7 }}", "{% debug %}"])
@pytest.mark.parametrize("by", LEVELS)
def test_names_of_visitors_never_become_markup(boss: Client, by: str, hostile: str) -> None:
    columns = ("campaign_name", "adgroup_name", "ad_name", "placement", "landing_path")
    on_both_clocks(1, **dict.fromkeys(columns, hostile), name=hostile[:50], currency=hostile[:3])
    spend(campaign_id=hostile, campaign_name=hostile, currency=hostile[:3])
    response = boss.get(PAGE, {**PERIOD, "by": by, "windows": "1", "campaign": f"~{hostile}"})
    body = response.content.decode()
    assert response.status_code == 200
    assert "<script>alert" not in body
    assert "<img src=x" not in body
    assert "{{ 14" not in body
    assert hostile not in body or "<" not in hostile


@pytest.mark.parametrize("name", ['=HYPERLINK("//evil")', "+1", "-1", "@SUM(A1)", "  =1", "x;=1+1", "\t=1"])
def test_no_cell_of_the_file_is_a_formula(boss: Client, name: str) -> None:
    credit(campaign_name=name)
    text = boss.get(EXPORT, PERIOD).content.decode("utf-8-sig")
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["part"] == "row"]
    assert row["name"] != name
    assert row["name"].replace("'", "") == name


def test_the_file_has_columns_for_each_currency(boss: Client) -> None:
    on_both_clocks(1, campaign_id=SPRING)
    credit(2, "30.00", campaign_id=SPRING, currency="USD")
    spend("50.00", PURCHASE)
    response = boss.get(EXPORT, PERIOD)
    rows = {row["part"]: row for row in csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))}
    row = rows["row"]
    assert (row["id"], row["name"], row["spend_EUR"], row["value_EUR"], row["value_USD"]) == (
        *(SPRING, "Spring", "50.00", "100.00", "30.00"),
    )
    assert (row["conversions"], row["roas"], row["difference"]) == ("3", "", "0")
    assert rows["all"]["conversions"] == "3"
    assert "tiktok-attribution-2026-03-02-2026-03-02.csv" in response["Content-Disposition"]


# Bounds ----------------------------------------------------------------------------------------------------------


def test_a_long_table_is_cut_and_says_how_much(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution_table, "MOST_ROWS", 3)
    for place in range(5):
        credit(place + 1, campaign_id=f"17{place}")
    page = page_of(boss, sort="-conversions")
    assert [line.title for line in page.table.lines] == ["174", "173", "172"]
    assert (page.table.more, cells_of_total(page)["Conversions"]) == (2, "15")
    assert "And 2 more." in text_of(boss, sort="-conversions")
    assert len(boss.get(EXPORT, PERIOD).content.decode().splitlines()) > 5


def cells_of_total(page: AttributionPage) -> dict[str, str]:
    titles = [str(head.title) for head in page.table.heads]
    return dict(zip(titles, (" ".join(cell.lines) for cell in page.table.total.cells), strict=False))


def test_rows_are_sorted_by_each_column_with_the_unknown_last(boss: Client) -> None:
    credit(1, campaign_id=SPRING)
    credit(5, campaign_id=SUMMER, campaign_name="Summer")
    credit(3, campaign_name="No cost")
    spend("10.00")
    spend("20.00", campaign_id=SUMMER, campaign_name="Summer")

    def order(sort: str) -> list[str]:
        return [line.title for line in page_of(boss, sort=sort).table.lines]

    assert order("-spend") == ["Summer", "Spring", "No cost"]
    assert order("spend") == ["Spring", "Summer", "No cost"]
    assert order("name") == ["No cost", "Spring", "Summer"]
    assert order("-conversions") == ["Summer", "No cost", "Spring"]


def test_the_page_asks_the_same_of_few_rows_and_of_many(boss: Client) -> None:
    fill_attribution(DAY)
    boss.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        boss.get(PAGE, {"period": "7", "windows": "1"})
    for place in range(300):
        on_both_clocks(1, campaign_id=str(place), landing_path=f"/{place}/")
        spend(campaign_id=str(place))
    with CaptureQueriesContext(connection) as many:
        boss.get(PAGE, {"period": "7", "windows": "1"})
    assert len(many) == len(few)


def test_nothing_inline_that_a_policy_blocks(boss: Client) -> None:
    on_both_clocks(1, campaign_id=SPRING)
    for response in (boss.get(PAGE, PERIOD), boss.get(LINK, {"address": "https://shop.example/"})):
        body = response.content.decode().partition('id="content-main"')[2].partition("</footer>")[0]
        assert "style=" not in body
        assert "<script" not in body
        assert not re.search(r"\son[a-z]+=", body)


def test_windows_stand_side_by_side_on_demand(boss: Client) -> None:
    for window in (1, 7, 14, 28):
        credit(window, f"{window}.00", campaign_id=SPRING, campaign_name="Spring", window=window)
    row = cells(page_of(boss, windows="1"), "Spring")
    assert [row[f"{window}-day window"] for window in (1, 7, 14, 28)] == ["1", "7", "14", "28"]
    assert "28-day window" not in cells(page_of(boss), "Spring")
    headings = re.findall(r"<th scope=\"col\"[^>]*>(?:<a [^>]*>)?([^<]*)", text_of(boss, windows="1"))
    assert headings[headings.index("Campaign") :][1:6] == [*(f"{days}-day window" for days in (1, 7, 14, 28)), "Spend"]


# An empty page ---------------------------------------------------------------------------------------------------


def test_an_empty_page_says_what_to_do(boss: Client, settings: Any) -> None:
    text = text_of(boss)
    assert "Switch attribution on" in text
    assert "Import what the ads cost" in text
    assert LINK in text
    settings.TIKTOK_ATTRIBUTION = with_settings(ATTRIBUTION=True)
    assert "Switch attribution on" not in text_of(boss)


def test_it_stands_in_the_index_of_the_app(boss: Client) -> None:
    assert f'href="{PAGE}"' in boss.get("/admin/tiktok_attribution/").content.decode()


# Links -----------------------------------------------------------------------------------------------------------


def test_the_builder_gives_an_address_to_copy(boss: Client) -> None:
    text = text_of(boss, LINK, address="https://shop.example/new/?colour=red&utm_source=x")
    assert re.search(
        r'id="tiktok-link">https://shop\.example/new/\?colour=red&utm_source=tiktok&[^<]+__PLACEMENT__<', text
    )
    assert 'data-copies="tiktok-link"' in text
    assert "copy.js" in text
    assert "sends it into TikTok's review again" in text
    assert "<code>utm_source</code>" in text


@pytest.mark.parametrize(
    "address", ["shop.example", "https://shop.example/#top", "https://shop.example/?a=__CLICKID__"]
)
def test_the_builder_says_what_is_wrong(boss: Client, address: str) -> None:
    text = text_of(boss, LINK, address=address)
    assert 'role="alert"' in text
    assert 'id="tiktok-link"' not in text


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "https://a.example/?x='\"><script>alert(1)</script>", "https://a.example/?</pre>"]
)
def test_the_builder_never_makes_markup_of_an_address(boss: Client, hostile: str) -> None:
    body = boss.get(LINK, {"address": hostile}).content.decode()
    assert "<script>alert" not in body
    assert "<img src=x" not in body
    assert hostile not in body


def test_without_an_address_the_builder_asks_for_one(boss: Client) -> None:
    assert 'role="alert"' not in text_of(boss, LINK)
