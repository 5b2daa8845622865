"""The report adds up what it should, joins by id and then by name, and says where it doesn't know."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.attribution.report_samples import (
    ADVERTISER,
    DAY,
    PIXEL,
    PURCHASE,
    SPRING,
    SUMMER,
    credit,
    on_both_clocks,
    spend,
)
from tiktok_attribution.attribution.report import Report, event_names, report, spend_known_until
from tiktok_attribution.attribution.report_query import ReportQuery
from tiktok_attribution.attribution.report_rows import Row
from tiktok_attribution.models import AdSpend, HourlyStatistics, LandingCount, SuppressedCount

pytestmark = pytest.mark.django_db


def asked(**values: Any) -> Report:
    windows = values.pop("with_windows", False)
    today = values.pop("today", DAY)
    query = ReportQuery(**{"first": DAY, "last": DAY, "name": "Purchase", **values})
    return report(query, using="default", today=today, with_windows=windows)


def only(found: Report) -> Row:
    (row,) = found.rows
    return row


def by_key(found: Report) -> dict[str, Row]:
    return {row.key: row for row in found.rows}


def test_nothing_is_an_empty_report() -> None:
    found = asked()
    assert found.is_empty
    assert (found.rows, found.totals.every.conversions, found.spend_until) == ([], 0, None)


def test_a_campaign_has_its_spend_and_what_it_brought() -> None:
    credit(campaign_id=SPRING)
    credit("0.5", "30.00", campaign_id=SPRING, is_new=False)
    spend("52.00", PURCHASE)
    row = only(asked())
    figures = row.figures
    assert (row.id, row.name) == (SPRING, "Spring")
    assert (figures.conversions, figures.value, figures.spend) == (Decimal("1.5"), {"EUR": 130}, {"EUR": 52})
    assert (figures.roas, figures.cac) == (Decimal("2.5"), 52)
    assert (round(figures.cpa or 0, 2), figures.rate) == (Decimal("34.67"), Decimal("1.5") / 40)
    assert (figures.impressions, figures.clicks) == (1000, 40)
    assert (figures.own_conversions, figures.own_value) == (3, {"EUR": Decimal("210.50")})


def test_spend_of_60_for_two_conversions_one_of_them_new() -> None:
    credit(campaign_id=SPRING)
    credit(campaign_id=SPRING, is_new=False)
    spend("60.00")
    figures = only(asked()).figures
    assert (figures.cpa, figures.cac, figures.new_customers) == (30, 60, 1)


def test_unknown_newness_leaves_new_customers_open() -> None:
    credit(campaign_id=SPRING)
    credit(campaign_id=SPRING, is_new=None)
    spend("60.00")
    figures = only(asked()).figures
    assert (figures.cpa, figures.cac, figures.new_customers) == (30, None, None)


def test_without_cost_there_is_no_ratio() -> None:
    credit(campaign_id=SPRING)
    figures = only(asked()).figures
    assert (figures.cost, figures.cpa, figures.roas, figures.cac) == (None, None, None, None)


def test_a_campaign_that_sells_nothing_has_a_return_of_0() -> None:
    spend("60.00")
    figures = only(asked()).figures
    assert (figures.roas, figures.cpa) == (0, None)


def test_conversions_without_a_value_have_no_return() -> None:
    credit(2, 0, campaign_id=SPRING, currency="", name="Lead")
    spend("60.00")
    figures = only(asked(name="Lead")).figures
    assert (figures.roas, figures.cpa) == (None, 30)


# Currencies ------------------------------------------------------------------------------------------------------


def test_currencies_never_add_up() -> None:
    credit(campaign_id=SPRING)
    credit(campaign_id=SPRING, currency="USD")
    spend()
    figures = only(asked()).figures
    assert figures.value == {"EUR": 100, "USD": 100}
    assert figures.roas is None
    assert figures.cpa == 25


def test_nor_does_spend_in_two_currencies() -> None:
    credit(campaign_id=SPRING)
    spend("10.00")
    spend("20.00", advertiser="7", currency="USD")
    found = asked()
    assert found.totals.ads.spend == {"EUR": 10, "USD": 20}
    assert (found.totals.ads.cpa, found.totals.ads.roas, found.totals.every.roas) == (None, None, None)


def test_each_row_has_a_return_in_its_own_currency() -> None:
    credit(campaign_id=SPRING)
    credit(campaign_id=SUMMER, currency="USD")
    spend("50.00")
    spend("20.00", advertiser="7", currency="USD", campaign_id=SUMMER)
    found = by_key(asked())
    assert (found[SPRING].figures.roas, found[SUMMER].figures.roas) == (2, 5)


def with_rates(settings: Any, rates: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"ATTRIBUTION": {"rates": rates}}


def test_the_sites_own_rates_make_one_return_of_two_currencies(settings: Any) -> None:
    later = DAY + timedelta(days=1)
    with_rates(settings, lambda currency, day: Decimal("0.9") if day == DAY else Decimal("0.8"))
    credit(campaign_id=SPRING)
    credit(campaign_id=SPRING, currency="USD")
    credit(campaign_id=SPRING, currency="USD", day=later)
    spend("90.00")
    found = asked(last=later)
    assert only(found).figures.roas == 3
    assert found.totals.ads.roas == 3
    assert found.totals.ads.value == {"EUR": 100, "USD": 200}


@pytest.mark.parametrize("rate", [None, "nonsense", Decimal("NaN"), 0, -1, float("inf")])
def test_no_rate_is_no_return(settings: Any, rate: Any) -> None:
    with_rates(settings, lambda currency, day: rate)
    credit(campaign_id=SPRING, currency="USD")
    spend()
    assert only(asked()).figures.roas is None


def test_rates_that_fail_are_logged_without_their_words(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fails(currency: str, day: date) -> Decimal:
        raise RuntimeError("secret of the bank")

    with_rates(settings, fails)
    credit(campaign_id=SPRING, currency="USD")
    spend()
    assert only(asked()).figures.roas is None
    assert "ATTRIBUTION['rates'] failed" in caplog.text
    assert "secret" not in caplog.text


# Totals that reconcile -------------------------------------------------------------------------------------------


def test_all_conversions_are_those_with_a_click_and_those_without() -> None:
    credit(2, "50.00", campaign_id=SPRING)
    credit(1, "10.00", traffic="organic", campaign_id=SPRING)
    credit(1, "20.00", traffic="other")
    credit(4, "200.00", traffic="")
    spend("40.00")
    found = asked()
    totals = found.totals
    found_by = {traffic: figures.conversions for traffic, figures in totals.by_traffic.items()}
    assert found_by == {"": 4, "paid": 2, "organic": 1, "other": 1}
    assert sum(figures.conversions for figures in totals.by_traffic.values()) == totals.every.conversions == 8
    assert (totals.every.value, totals.every.roas) == ({"EUR": 280}, 7)
    assert (totals.ads.value, totals.ads.roas) == ({"EUR": 50}, Decimal("1.25"))
    assert only(found).figures.conversions == 2


@pytest.mark.parametrize("by", ["campaign", "adgroup", "ad"])
def test_the_rows_add_up_to_the_ads(by: str) -> None:
    on_both_clocks(2, "50.00", campaign_id=SPRING, adgroup_id="11", ad_id="111")
    on_both_clocks("0.25", "12.50", campaign_name="spring", ad_name="Blue")
    on_both_clocks(1, "9.00")
    spend("40.00", PURCHASE, level="ad", adgroup_id="11", ad_id="111", ad_name="Blue")
    spend("10.00", PURCHASE, advertiser="8", campaign_id=SUMMER, campaign_name="Summer")
    found = asked(by=by)
    assert found.listed == found.totals.ads


def test_what_no_address_named_is_a_row_of_its_own() -> None:
    credit(3)
    credit(1, campaign_id=SPRING)
    found = asked()
    assert found.unknown_object == 3
    assert by_key(found)[""].name == ""


def test_refused_and_suppressed_events_stand_beside() -> None:
    for reason, count in (("denied", 4), ("opt-out", 1), ("bot", 7)):
        SuppressedCount.objects.create(day=DAY, pixel_code=PIXEL, name="Purchase", reason=reason, count=count)
    SuppressedCount.objects.create(day=DAY, pixel_code=PIXEL, name="Lead", reason="denied", count=100)
    SuppressedCount.objects.create(
        day=DAY - timedelta(days=1), pixel_code=PIXEL, name="Purchase", reason="denied", count=100
    )
    found = asked()
    assert (found.refused, found.suppressed) == (5, 7)


def test_the_sums_of_erased_conversions_stay_and_are_told() -> None:
    credit(2, campaign_id=SPRING)
    credit("0.5", campaign_id=SPRING, is_erased=True)
    found = asked()
    assert (found.erased, found.totals.every.conversions) == (Decimal("0.5"), Decimal("2.5"))


def test_events_that_tiktok_did_not_get_are_counted_in_the_hours_of_the_days(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"
    midnight = int(datetime(2026, 3, 2, tzinfo=ZoneInfo("Asia/Jakarta")).timestamp())
    for hour, count in ((midnight - 3600, 100), (midnight, 1), (midnight + 23 * 3600, 2), (midnight + 86_400, 100)):
        HourlyStatistics.objects.create(hour=hour, pixel_code=PIXEL, name="Purchase", rejected=count, delivered=50)
    HourlyStatistics.objects.create(hour=midnight, pixel_code="C0OTHER", name="Purchase", invalid=4, expired=8)
    HourlyStatistics.objects.create(hour=midnight, pixel_code=PIXEL, name="Lead", rejected=16)
    assert (asked().undelivered, asked(name="").undelivered, asked(shop="C0OTHER").undelivered) == (15, 31, 12)


def test_landings_are_counted_by_day() -> None:
    for day, outcome, count in ((DAY, "stored", 5), (DAY, "limit", 9), (DAY + timedelta(days=1), "stored", 2)):
        LandingCount.objects.create(day=day, shop=PIXEL, outcome=outcome, count=count)
    found = asked(last=DAY + timedelta(days=1))
    assert ([day.landings for day in found.days], found.totals.landings) == ([5, 2], 7)
    assert asked(shop="C0OTHER").totals.landings == 0


# Filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "asked_for"),
    [
        ({"clock": "click"}, {}),
        ({"model": "linear"}, {}),
        ({"window": 28}, {}),
        ({"shop": "C0OTHER"}, {"shop": PIXEL}),
        ({"name": "Lead"}, {}),
        ({"is_new": False}, {"customers": "new"}),
        ({"is_new": None}, {"customers": "new"}),
        ({"day": DAY - timedelta(days=1)}, {}),
        ({"day": DAY + timedelta(days=1)}, {}),
    ],
)
def test_nothing_else_is_counted(other: dict[str, Any], asked_for: dict[str, Any]) -> None:
    credit(1, campaign_id=SPRING)
    credit(10, campaign_id=SPRING, **other)
    found = asked(**asked_for)
    assert found.totals.every.conversions == only(found).figures.conversions == 1


def test_returning_customers_are_those_that_are_known_to_be() -> None:
    for is_new in (True, False, None):
        credit(campaign_id=SPRING, is_new=is_new)
    assert asked(customers="returning").totals.ads.conversions == 1


def test_the_period_before_stands_beside() -> None:
    yesterday = DAY - timedelta(days=1)
    credit(3, day=yesterday, campaign_id=SPRING)
    spend("9.00", day=yesterday)
    found = asked()
    assert (found.before.ads.conversions, found.before.ads.spend) == (3, {"EUR": 9})
    assert found.is_empty


def test_spend_follows_the_shop_of_its_advertiser(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {"MARKETING_API": {ADVERTISER: {"pixels": [PIXEL]}, "8": {}}}
    spend("1.00")
    spend("2.00", advertiser="8")
    spend("4.00", advertiser="9")
    assert asked(shop=PIXEL).totals.ads.spend == {"EUR": 7}
    assert asked(shop="C0OTHER").totals.ads.spend == {"EUR": 6}


@pytest.mark.parametrize(("by", "column"), [("placement", "placement"), ("landing", "landing_path")])
def test_placements_and_pages_have_no_spend_of_their_own(by: str, column: str) -> None:
    credit(campaign_id=SPRING, **{column: "/new/"})
    spend()
    found = asked(by=by)
    assert (only(found).name, only(found).figures.spend) == ("/new/", {})
    assert found.totals.ads.spend == {"EUR": 50}


def test_drilling_down_lists_what_belongs_to_the_campaign() -> None:
    credit(1, campaign_id=SPRING, adgroup_id="11", adgroup_name="Women")
    credit(2, campaign_name="SPRING", adgroup_name="women")
    credit(4, campaign_id=SUMMER, adgroup_id="21", adgroup_name="Women")
    spend("10.00", level="adgroup", adgroup_id="11", adgroup_name="Women")
    spend("20.00", level="adgroup", campaign_id=SUMMER, campaign_name="Summer", adgroup_id="21", adgroup_name="Women")
    found = asked(by="adgroup", campaign=SPRING)
    row = only(found)
    assert (row.key, row.figures.conversions, row.figures.spend) == ("11", 3, {"EUR": 10})
    assert found.inside == {"campaign": "Spring"}
    assert found.totals.ads.conversions == 7


def test_pages_of_a_campaign() -> None:
    credit(1, campaign_id=SPRING, landing_path="/a/")
    credit(2, campaign_id=SUMMER, landing_path="/b/")
    assert only(asked(by="landing", campaign=SUMMER)).key == "/b/"


# Joining by id and name ------------------------------------------------------------------------------------------


def test_a_name_finds_the_id_that_alone_has_it() -> None:
    credit(campaign_name="SPRING")
    spend()
    row = only(asked())
    assert (row.id, row.name, row.figures.conversions) == (SPRING, "Spring", 1)


def test_a_name_of_two_campaigns_is_ambiguous() -> None:
    credit(campaign_name="Spring")
    spend("1.00")
    spend("2.00", campaign_id=SUMMER)
    found = by_key(asked())
    assert set(found) == {SPRING, SUMMER, "~spring"}
    assert [found[key].is_ambiguous for key in (SPRING, SUMMER, "~spring")] == [False, False, True]
    assert found["~spring"].figures.spend == {}


def test_a_name_without_any_id_is_a_row_by_itself() -> None:
    credit(campaign_name="Winter")
    credit(campaign_name="winter")
    row = only(asked())
    assert (row.id, row.name.casefold(), row.is_ambiguous, row.figures.conversions) == ("", "winter", False, 2)


def test_a_renamed_campaign_stays_one_row_with_its_newest_name() -> None:
    credit(campaign_id=SPRING, campaign_name="Old")
    spend(campaign_name="Old", day=DAY - timedelta(days=1))
    spend(campaign_name="Spring sale")
    row = only(asked(first=DAY - timedelta(days=1)))
    assert (row.name, row.figures.spend) == ("Spring sale", {"EUR": 100})


def test_one_name_of_ad_groups_in_two_campaigns_is_told_apart_by_the_campaign() -> None:
    credit(1, campaign_id=SPRING, adgroup_name="Women")
    credit(2, campaign_id=SUMMER, adgroup_name="Women")
    spend("1.00", level="adgroup", adgroup_id="11", adgroup_name="Women")
    spend("2.00", level="adgroup", campaign_id=SUMMER, adgroup_id="21", adgroup_name="Women")
    found = by_key(asked(by="adgroup"))
    assert {key: row.figures.conversions for key, row in found.items()} == {"11": 1, "21": 2}


def test_spend_of_a_campaign_is_not_split_over_its_ads_and_makes_no_ratio() -> None:
    on_both_clocks(1, campaign_id=SPRING, ad_id="111")
    on_both_clocks(1, campaign_id=SPRING)
    spend("50.00", PURCHASE)
    found = asked(by="ad")
    rows = by_key(found)
    assert (rows["111"].figures.spend, rows[""].figures.spend) == ({}, {"EUR": 50})
    unknown = rows[""].figures
    assert (unknown.roas, unknown.cpa, unknown.cac, unknown.rate, unknown.difference) == (None,) * 5
    assert (found.listed.roas, found.listed.cpa, found.listed.difference) == (4, 25, 1)
    assert found.listed == found.totals.ads


# Spend -----------------------------------------------------------------------------------------------------------


def test_levels_are_never_added() -> None:
    spend("50.00")
    spend("30.00", level="ad", ad_id="111")
    spend("20.00", level="ad", ad_id="112")
    assert asked().totals.ads.spend == {"EUR": 50}
    assert only(asked()).figures.spend == {"EUR": 50}


def test_each_day_and_advertiser_has_its_own_finest_level() -> None:
    yesterday = DAY - timedelta(days=1)
    spend("50.00", day=yesterday)
    spend("40.00", level="adgroup", adgroup_id="11")
    spend("40.00")
    spend("7.00", advertiser="8")
    found = asked(first=yesterday)
    assert [day.figures.spend for day in found.days] == [{"EUR": 50}, {"EUR": 47}]


def test_what_was_undone_does_not_count() -> None:
    spend(is_current=False)
    assert asked().totals.ads.spend == {}
    assert spend_known_until("", using="default") is None


def test_spend_is_known_until_the_last_day_of_every_account_that_still_spends() -> None:
    spend(day=DAY)
    spend(day=DAY - timedelta(days=2), advertiser="8")
    spend(day=DAY - timedelta(days=90), advertiser="9")
    assert spend_known_until("", using="default") == DAY - timedelta(days=2)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", '{"complete_payment": "-"}', '{"complete_payment": "NaN"}', "[1"]
)
def test_figures_that_tell_nothing_are_no_zero(text: str) -> None:
    row = spend()
    AdSpend.objects.filter(pk=row.pk).update(figures=text)
    figures = only(asked()).figures
    assert (figures.own_conversions, figures.own_value, figures.difference) == (None, {}, None)


# Beside TikTok's figures -----------------------------------------------------------------------------------------


def test_the_difference_is_split_as_far_as_it_is_known() -> None:
    credit(4, campaign_id=SPRING)
    credit(5, campaign_id=SPRING, clock="click")
    spend("50.00", {"complete_payment": "9", "vta_complete_payment": "2", "evta_complete_payment": "1"})
    figures = only(asked()).figures
    assert (figures.difference, figures.own_views, figures.clock_part, figures.not_explained) == (5, 3, 1, 1)


def test_by_the_clock_of_the_click_no_part_is_the_clock() -> None:
    credit(4, campaign_id=SPRING)
    credit(5, campaign_id=SPRING, clock="click")
    spend("50.00", {"complete_payment": "9"})
    figures = only(asked(clock="click")).figures
    assert (figures.difference, figures.clock_part, figures.not_explained) == (4, 0, 4)


@pytest.mark.parametrize(("optimized", "views"), [("9", Decimal(3)), ("12", None), ("-", None)])
def test_views_of_another_event_are_not_taken_for_this_one(optimized: str, views: Decimal | None) -> None:
    figures = {"complete_payment": "9", "conversion": optimized, "vta_conversion": "2"}
    spend("50.00", {**figures, "evta_conversion": "1", "engaged_view_through_conversions": "1"})
    assert only(asked()).figures.own_views == views


def test_of_one_sort_of_customers_tiktok_says_nothing() -> None:
    credit(campaign_id=SPRING)
    spend("50.00", PURCHASE)
    figures = only(asked(customers="new")).figures
    assert (figures.own_conversions, figures.own_value, figures.difference, figures.spend) == (
        None,
        {},
        None,
        {"EUR": 50},
    )


def test_all_events_together_have_no_figure_of_tiktoks() -> None:
    spend("50.00", PURCHASE)
    assert only(asked(name="")).figures.own_conversions is None


def test_a_click_of_the_day_whose_conversion_came_later_is_seen_beside_tiktoks() -> None:
    credit(1, campaign_id=SPRING, clock="click")
    spend("50.00", {"complete_payment": "1"})
    figures = only(asked()).figures
    assert (figures.conversions, figures.difference, figures.clock_part, figures.not_explained) == (0, 1, 1, 0)


# Days and windows ------------------------------------------------------------------------------------------------


def test_days_younger_than_the_window_are_not_final() -> None:
    found = asked(first=DAY - timedelta(days=8), today=DAY)
    assert [day.day for day in found.days if day.is_final] == [DAY - timedelta(days=8), DAY - timedelta(days=7)]


def test_all_windows_stand_side_by_side_on_demand() -> None:
    for window, conversions in ((1, 1), (7, 2), (14, 3), (28, 4)):
        credit(conversions, campaign_id=SPRING, window=window)
    credit(1, campaign_id=SUMMER, window=28)
    row = by_key(asked(with_windows=True))[SPRING]
    assert {window: figures.conversions for window, figures in row.windows.items()} == {1: 1, 7: 2, 14: 3, 28: 4}
    assert only(asked()).windows == {}


def test_the_events_of_a_period_are_known() -> None:
    credit(name="Lead")
    credit()
    assert event_names(DAY, DAY, using="default") == ["Lead", "Purchase"]
    assert event_names(DAY + timedelta(days=1), DAY + timedelta(days=2), using="default") == []


def test_it_reads_neither_touches_nor_conversions_and_asks_as_often_for_many_rows() -> None:
    credit(campaign_id=SPRING)
    spend()
    with CaptureQueriesContext(connection) as few:
        asked(with_windows=True)
    for number in range(200):
        credit(campaign_id=str(number), landing_path=f"/{number}/")
    with CaptureQueriesContext(connection) as many:
        asked(with_windows=True)
    assert len(few) == len(many)
    statements = " ".join(query["sql"] for query in many)
    for table in ("_touch", "_recordedconversion", "_conversiontouch", "_outboxevent"):
        assert f"tiktok_attribution{table}" not in statements
