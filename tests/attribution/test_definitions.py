"""Each row of the definitions of attribution, from the landing over order and worker to the report.

The parts have tests of their own. Here they run together as on a site; the tests are named after the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from tests.attribution.models import Sale
from tests.attribution.samples import DAY, PIXEL, REFUNDABLE, SECOND_PIXEL, told, worked
from tests.attribution.shop_site import ASKED, JOINED, Browser, ads, asked, credit, pay_for
from tests.attribution.spend_samples import imported, row
from tiktok_attribution.models import (
    ChangedObject,
    ConversionPerson,
    ConversionTouch,
    DailyAttribution,
    EventBody,
    LandingCount,
    OutboxEvent,
    RecordedConversion,
    StaleDay,
    State,
    Touch,
    VisitorLink,
    VisitorSnapshot,
)
from tiktok_attribution.touches.counting import counts

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)
NONE = {1: 0, 7: 0, 14: 0, 28: 0}
TODAY = date.today


@pytest.fixture(autouse=True)
def _shop(settings: Any, configure: Configure) -> None:
    cache.clear()  # the limits of landings
    settings.ROOT_URLCONF = "tests.attribution.shop_site"
    configure(JOINED, CONSENT=ASKED)
    for name in ("7", "8"):
        get_user_model().objects.create_user(name, email=f"{name}@example.com")


@pytest.fixture
def join(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, join=["external_id", "email"], USER={"external_id": "username", "email": "email"})


# Switch and consent ---------------------------------------------------------------------------------------------------


def test_1_off_stores_nothing_and_reports_nothing(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, ATTRIBUTION=False)
    visitor = Browser()
    visitor.land()
    visitor.buy()
    assert worked() == {}
    assert not {"tiktok_visitor", "tiktok_landed"} & set(visitor.client.cookies)
    assert not EventBody.objects.filter(visitor_key__isnull=False).exists()
    for model in (Touch, RecordedConversion, DailyAttribution, VisitorLink):
        assert not model.objects.exists()
    assert asked().is_empty


@pytest.mark.parametrize("word", ["", "denied"])
def test_1_without_consent_there_is_no_touch_and_no_conversion(word: str) -> None:
    visitor = Browser(word)
    visitor.land()
    visitor.buy()
    worked()
    assert not Touch.objects.exists()
    assert not RecordedConversion.objects.exists()
    assert asked().refused == (word == "denied")


def test_1_a_withdrawal_takes_the_touches_and_computes_conversions_anew() -> None:
    visitor = Browser()
    visitor.land()
    visitor.buy()
    worked()
    assert credit() == {1: 1, 7: 1, 14: 1, 28: 1}
    visitor.answer("denied")
    worked()
    assert credit() == NONE
    assert asked().totals.by_traffic[""].value == {"EUR": 100}
    for model in (Touch, ConversionTouch, VisitorLink):
        assert not model.objects.exists()
    assert not RecordedConversion.objects.filter(visitor_key__isnull=False).exists()


@pytest.mark.usefixtures("join")
def test_1_after_a_withdrawal_nothing_is_linked_that_waited_for_the_worker() -> None:
    visitor = Browser()
    visitor.land()
    visitor.buy(email="7@example.com")
    OutboxEvent.objects.update(state=State.DELIVERED, due_at=None)  # else the withdrawal takes the event back
    visitor.answer("denied")
    worked()
    assert RecordedConversion.objects.get().visitor_key is None
    assert not VisitorLink.objects.exists()


def test_1_an_event_that_awaited_consent_counts_once_it_is_released(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, AWAITING_CONSENT_HOURS=24)
    visitor = Browser("")
    visitor.land()
    visitor.buy()
    assert set(OutboxEvent.objects.values_list("state", flat=True)) == {State.AWAITING_CONSENT}
    worked()
    assert not RecordedConversion.objects.exists()
    visitor.answer("granted")
    visitor.land("ttclid=E.C.P.later")  # the key came after the purchase
    worked(time.time() + 2 * 3600)
    row_ = RecordedConversion.objects.get()
    assert ads().conversions == 0
    assert row_.visitor_key is None


@pytest.mark.usefixtures("join")
def test_1_a_held_landing_is_the_conversions_once_its_visitor_agrees(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, HOLD_CLICK_ID=True)
    visitor = Browser("")
    visitor.land()
    visitor.answer("granted")
    visitor.client.get("/", HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64)")
    visitor.buy()
    worked()
    assert ads().conversions == 1


# Joining --------------------------------------------------------------------------------------------------------------


def phone_and_laptop(answer: str = "granted") -> tuple[Browser, Browser]:
    phone, laptop = Browser(), Browser(answer)
    phone.land(days=2)
    phone.sign_in("7", days=2)
    laptop.buy(customer="7")
    worked()
    return phone, laptop


def test_2_without_join_the_laptop_has_nothing_of_the_phone() -> None:
    phone_and_laptop()
    assert credit() == NONE
    assert not VisitorLink.objects.exists()


@pytest.mark.usefixtures("join")
def test_2_with_join_the_click_on_the_phone_counts_and_user_8_gets_none_of_it() -> None:
    phone, _laptop = phone_and_laptop()
    assert credit() == {1: 0, 7: 1, 14: 1, 28: 1}
    phone.sign_in("8")
    sale = phone.buy(customer="8")
    worked()
    assert credit() == {1: 0, 7: 1, 14: 1, 28: 1}
    assert told(sale).touches == ()


@pytest.mark.usefixtures("join")
def test_2_a_laptop_that_refused_has_none_and_is_counted() -> None:
    phone_and_laptop("denied")
    assert credit() == NONE
    assert asked().refused == 1


@pytest.mark.usefixtures("join")
def test_2_a_phone_that_refused_gives_none() -> None:
    phone, laptop = Browser("denied"), Browser()
    phone.land(days=2)
    phone.sign_in("7", days=2)
    laptop.buy(customer="7")
    worked()
    assert credit() == NONE
    assert not VisitorLink.objects.exists()


@pytest.mark.usefixtures("join")
def test_2_a_phone_that_withdraws_takes_its_touches_from_the_laptops_conversion() -> None:
    phone, _laptop = phone_and_laptop()
    phone.answer("denied")
    worked()
    assert credit() == NONE
    assert not Touch.objects.exists()
    assert not ConversionTouch.objects.exists()


@pytest.mark.usefixtures("join")
@pytest.mark.parametrize(("later", "found"), [(2, 1), (40, 0)])
def test_2_a_late_sign_in_reaches_back_as_far_as_the_widest_window(later: int, found: int) -> None:
    phone, laptop = Browser(), Browser()
    phone.land(days=10 + later)
    laptop.buy(customer="7", days=later)
    worked()
    assert credit() == NONE
    phone.sign_in("7")
    worked()
    assert credit() == {1: 0, 7: 0, 14: found, 28: found}


# Touches --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "traffic"),
    [
        ("utm_source=TikTok&utm_medium=Paid", "paid"),
        ("utm_source=tiktok", "organic"),
        ("ttclid=__CLICKID__", ""),
        ("utm_source=newsletter&utm_medium=email", ""),
        ("", ""),
    ],
)
def test_3_what_brought_a_conversion(query: str, traffic: str) -> None:
    visitor = Browser()
    visitor.land(query)
    visitor.buy()
    worked()
    found = asked(model="last_touch")
    assert {name for name, figures in found.totals.by_traffic.items() if figures.conversions} == {traffic}


def test_3_macros_that_were_not_filled_are_counted() -> None:
    Browser().land("ttclid=__CLICKID__")
    counts.flush()
    assert list(LandingCount.objects.values_list("outcome", "count")) == [("macros", 1)]
    assert not Touch.objects.exists()


def test_4_ids_and_names_of_the_builders_address_reach_the_report() -> None:
    visitor = Browser()
    visitor.land(
        "utm_source=tiktok&utm_medium=paid_social&utm_campaign=Spring&utm_id=1700000000000001&utm_content=Blue+shoe"
        "&tt_adgroup=1700000000000002&tt_ad=1700000000000003&tt_ad_v2=__ADID_V2__&tt_placement=TikTok",
        to="/shoes/",
    )
    visitor.buy()
    worked()
    names = {by: [(one.key, one.name) for one in asked(by=by).rows] for by in ("campaign", "adgroup", "ad")}
    assert names == {
        "campaign": [("1700000000000001", "Spring")],
        "adgroup": [("1700000000000002", "")],
        "ad": [("1700000000000003", "Blue shoe")],
    }
    assert [asked(by=by).rows[0].key for by in ("placement", "landing")] == ["TikTok", "/shoes/"]


def test_5_the_same_click_9_and_2_days_before_is_one_of_9_days() -> None:
    visitor = Browser()
    visitor.land(days=9)
    visitor.land(days=2)
    visitor.buy()
    worked()
    assert Touch.objects.count() == 1
    assert credit() == {1: 0, 7: 0, 14: 1, 28: 1}


@pytest.mark.usefixtures("join")
def test_5_a_click_that_was_opened_again_in_another_browser_is_one_of_two_touches() -> None:
    inside, safari = Browser(), Browser()
    inside.land("ttclid=x&utm_campaign=X", days=3)
    inside.sign_in("7")
    safari.land("ttclid=x&utm_campaign=X", days=3 - 40 / DAY)
    safari.land("ttclid=y&utm_campaign=Y", days=1)
    safari.buy(customer="7")
    worked()
    shares = {one.name: one.figures.conversions for one in asked(model="linear").rows}
    assert shares == {"X": Decimal("0.5"), "Y": Decimal("0.5")}


def test_6_the_key_is_beside_event_and_snapshot_and_a_planted_one_beside_none() -> None:
    visitor, planted = Browser(), Browser()
    visitor.land()
    visitor.buy()
    planted.client.cookies["tiktok_visitor"] = Touch.objects.get().visitor_key.hex  # not signed
    planted.buy()
    key = Touch.objects.get().visitor_key
    assert list(EventBody.objects.order_by("pk").values_list("visitor_key", flat=True)) == [key, None]


# Conversions ----------------------------------------------------------------------------------------------------------


def test_8_one_order_with_two_pixels_is_one_conversion(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, PIXEL_CODE=[PIXEL, SECOND_PIXEL])
    visitor = Browser()
    visitor.land()
    visitor.buy()
    worked()
    assert OutboxEvent.objects.count() == 2
    assert (ads().conversions, ads().value) == (1, {"EUR": 100})
    assert asked().totals.every.conversions == 1


@pytest.mark.parametrize("shown", [PIXEL, SECOND_PIXEL])
@pytest.mark.parametrize("missing", [PIXEL, SECOND_PIXEL])
def test_8_both_pixels_of_a_shop_show_its_conversions_beside_its_spend(
    configure: Configure, shown: str, missing: str
) -> None:
    accounts = {"7001": {"pixels": [PIXEL]}, "7002": {"pixels": [SECOND_PIXEL], "time_zone": "Pacific/Kiritimati"}}
    configure(JOINED, CONSENT=ASKED, PIXEL_CODE=[PIXEL, SECOND_PIXEL], MARKETING_API=accounts)
    imported(row(TODAY(), "50.00"), advertiser="7002")
    visitor = Browser()
    visitor.land()
    visitor.buy()
    OutboxEvent.objects.filter(pixel_code=missing).delete()
    worked()
    figures = ads(shop=shown)
    assert (figures.conversions, figures.value, figures.roas) == (1, {"EUR": 100}, 2)
    assert {one.day for one in DailyAttribution.objects.all()} == {TODAY()}
    assert asked(shop=shown).totals.landings == asked().totals.landings


def test_8_of_track_only_the_named_events_count(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, events=["Lead"])
    visitor = Browser()
    visitor.land()
    visitor.client.get("/lead/?id=lead-1", HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64)")
    worked()
    assert ads(name="Lead").conversions == 1
    configure(JOINED, CONSENT=ASKED)
    visitor.client.get("/lead/?id=lead-2", HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64)")
    worked()
    assert ads(name="Lead").conversions == 1


def test_9_a_click_after_placing_never_counts_and_windows_end_at_the_payment() -> None:
    visitor = Browser()
    visitor.land("ttclid=a&utm_campaign=A", days=10)
    sale = visitor.buy(new="1")
    visitor.land("ttclid=b&utm_campaign=B", days=2)
    pay_for(sale, placed=4, paid=1)
    worked()
    assert credit() == {1: 0, 7: 0, 14: 1, 28: 1}
    assert [one.name for one in asked(window=14).rows] == ["A"]


def test_10_all_models_share_one_conversion() -> None:
    visitor = Browser()
    for name, days in (("A", 5), ("B", 3), ("C", 1.5)):
        visitor.land(f"ttclid={name}&utm_campaign={name}", days=days)
    visitor.land("utm_source=tiktok&utm_campaign=organic", days=0.5)
    visitor.buy()
    worked()
    found = {}
    for model in ("last_tiktok", "last_touch", "first_touch", "linear"):
        totals = asked(model=model)
        found[model] = {one.name: one.figures.value["EUR"] for one in totals.rows if one.figures.conversions}
        assert totals.totals.every.value == {"EUR": 100}
    assert found == {
        "last_tiktok": {"C": 100},
        "last_touch": {},
        "first_touch": {"A": 100},
        "linear": {"A": 25, "B": 25, "C": 25},
    }


def test_11_by_the_click_each_share_is_on_its_own_day() -> None:
    visitor = Browser()
    visitor.land("ttclid=a&utm_campaign=A", days=3)
    visitor.land("ttclid=b&utm_campaign=B", days=1)
    visitor.buy()
    worked()
    for clock, days in (("conversion", {0: 100}), ("click", {3: 50, 1: 50})):
        found = asked(clock=clock, model="linear").days
        worth = {(TODAY() - one.day).days: one.figures.value["EUR"] for one in found if one.figures.conversions}
        assert worth == days
    young = [one.day for one in asked().days if not one.is_final]
    assert min(young) == TODAY() - timedelta(days=6)


def test_12_days_are_those_of_the_advertiser(configure: Configure) -> None:
    configure(JOINED, CONSENT=ASKED, MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": "Pacific/Kiritimati"}})
    visitor = Browser()
    visitor.land()
    visitor.buy()
    worked()
    at = RecordedConversion.objects.get().at
    local = date(1970, 1, 1) + timedelta(seconds=at + 14 * 3600)
    assert {one.day for one in DailyAttribution.objects.all()} == {local}


def refunded(**values: Any) -> None:
    visitor = Browser()
    visitor.land("ttclid=a&utm_campaign=A", days=40 + 2)
    visitor.land("ttclid=b&utm_campaign=B", days=40 + 1)
    sale = visitor.buy(days=40)
    worked()
    for name, value in values.items():
        setattr(sale, name, value)
    sale.save()
    worked()


@pytest.mark.parametrize(
    ("values", "conversions", "each"),
    [
        ({"refunded_total": Decimal("30.00")}, Decimal("0.5"), 35),
        ({"refunded_total": Decimal("110.00")}, Decimal("0.5"), 0),
        ({"status": "cancelled"}, 0, 0),
        ({"status": "cancelled", "refunded_total": Decimal(30)}, 0, 0),
    ],
)
def test_13_refunds_and_reversals(values: dict[str, Any], conversions: Decimal, each: int) -> None:
    refunded(**values)
    found = asked(model="linear")
    assert {one.name: (one.figures.conversions, one.figures.value["EUR"]) for one in found.rows} == {
        "A": (conversions, each),
        "B": (conversions, each),
    }
    (day,) = (one for one in found.days if one.figures.value)
    assert (TODAY() - day.day).days in (40, 41)
    assert found.totals.ads.value["EUR"] + found.totals.ads.refunded["EUR"] == 100


@pytest.mark.usefixtures("join")
def test_14_new_and_returning_customers_and_cac() -> None:
    imported(row(TODAY(), "60.00", campaign_id="1700000000000001", campaign_name="Spring"))
    for customer in ("7", "7"):
        visitor = Browser()
        visitor.land("ttclid=x&utm_campaign=Spring&utm_id=1700000000000001")
        visitor.buy(customer=customer)
    worked()
    figures = ads()
    assert (figures.conversions, figures.new, figures.cpa, figures.cac) == (2, 1, 30, 60)
    assert asked(customers="returning").totals.every.conversions == 1


def test_14_unknown_newness_makes_no_cac() -> None:
    imported(row(TODAY(), "60.00"))
    visitor = Browser()
    visitor.land()
    visitor.buy()
    worked()
    assert (ads().cpa, ads().cac) == (60, None)


def test_15_currencies_never_add_up() -> None:
    imported(row(TODAY(), "50.00"))
    for currency in ("EUR", "USD"):
        visitor = Browser()
        visitor.land(f"ttclid={currency}")
        visitor.buy(currency=currency)
    worked()
    assert ads().value == {"EUR": 100, "USD": 100}
    assert (ads().roas, ads().cpa) == (None, 25)


@pytest.mark.usefixtures("join")
def test_17_recomputing_changes_nothing() -> None:
    phone_and_laptop()
    before = sorted(DailyAttribution.objects.values_list("day", "model", "window", "clock", "value", "traffic"))
    call_command("tiktok_attribution", recompute=True)
    worked()
    after = sorted(DailyAttribution.objects.values_list("day", "model", "window", "clock", "value", "traffic"))
    assert before == after != []


def test_18_an_erasure_leaves_the_sums() -> None:
    visitor = Browser()
    visitor.land()
    visitor.buy(email="jane@example.com")
    worked()
    before = (ads().conversions, ads().value)
    call_command("tiktok_erase", email=["jane@example.com"], verbosity=0)
    worked()
    assert (ads().conversions, ads().value) == before == (1, {"EUR": 100})
    assert asked().erased == 1
    for model in (RecordedConversion, ConversionTouch, VisitorSnapshot, Touch):
        assert not model.objects.exists()
    assert list(EventBody.objects.values_list("payload", "visitor_key")) == [("", None)]


class Elsewhere:
    """A router that writes these models into the second database."""

    def __init__(self, *models: type[Model]) -> None:
        self.models = models

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return "other" if model in self.models else None

    db_for_read = db_for_write


TOUCHES = (Touch, VisitorLink, LandingCount)
CONVERSIONS = (RecordedConversion, ConversionTouch, ConversionPerson, DailyAttribution, StaleDay, ChangedObject)


@pytest.mark.usefixtures("join")
@pytest.mark.parametrize("models", [TOUCHES, CONVERSIONS, (*TOUCHES, *CONVERSIONS)])
def test_17_several_databases(models: tuple[type[Model], ...], other: str, settings: Any) -> None:
    settings.DATABASE_ROUTERS = [Elsewhere(*models)]
    phone, _laptop = phone_and_laptop()
    using = other if DailyAttribution in models else "default"
    assert credit(using=using) == {1: 0, 7: 1, 14: 1, 28: 1}
    sale = Sale.objects.get()
    sale.refunded_total = Decimal(30)
    sale.save()
    worked()
    assert ads(using=using).value == {"EUR": 70}
    phone.answer("denied")
    worked()
    assert credit(using=using) == NONE
    for model in models:
        if model in TOUCHES:
            assert not model._default_manager.using("default").exists()


# Spend ----------------------------------------------------------------------------------------------------------------


def test_19_a_campaign_file_and_ads_of_the_api_for_one_day_are_50() -> None:
    imported(row(TODAY(), "50.00"))
    imported(
        row(TODAY(), "20.00", ad_id="1", adgroup_id="5"),
        row(TODAY(), "30.00", ad_id="2", adgroup_id="5"),
        level="ad",
        source="api",
    )
    assert ads().spend == {"EUR": 50}


def test_20_tiktoks_own_figures_stand_beside_ours() -> None:
    theirs = {"complete_payment": "3", "vta_complete_payment": "1", "total_complete_payment_rate": "250"}
    imported(row(TODAY(), "50.00", campaign_id="1700000000000001", figures=theirs))
    visitor = Browser()
    visitor.land("ttclid=x&utm_id=1700000000000001")
    visitor.buy()
    worked()
    (only,) = asked().rows
    figures = only.figures
    assert (figures.own_conversions, figures.difference, figures.own_views, figures.not_explained) == (3, 2, 1, 1)


# Statements -----------------------------------------------------------------------------------------------------------


def statements(configure: Configure, **keys: Any) -> tuple[list[str], list[str], list[str]]:
    """The statements of an ordinary page, a landing and a checkout of the same browser."""
    configure(REFUNDABLE, CONSENT=ASKED, **keys)
    found = []
    visitor = Browser()
    visitor.land("ttclid=before")  # what is counted is written now, and not again for ten seconds
    visitor.buy()  # fills caches
    for step in (lambda: visitor.client.get("/"), visitor.land, visitor.buy):
        with CaptureQueriesContext(connection) as captured:
            step()
        found.append([one["sql"] for one in captured])
    return found[0], found[1], found[2]


def test_costs_of_pages_landings_and_checkouts(configure: Configure) -> None:
    off = statements(configure, ATTRIBUTION=False)
    on = statements(configure)
    assert (len(off[0]), len(off[1])) == (0, 0)
    assert on[0] == []
    (insert,) = on[1]
    assert insert.startswith("INSERT")
    assert "tiktok_attribution_touch" in insert
    assert len(on[2]) == len(off[2])
