"""The daily roll-up: both clocks, all windows and models, days of the advertiser, and the same rows each time."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import close_old_connections, connection

from tests.attribution.samples import DAY, PHONE, PIXEL, SECOND_PIXEL, clicked, converted, moment_of, worked
from tiktok_attribution.attribution.credit import REPORT_MODELS
from tiktok_attribution.attribution.joining import mark_stale
from tiktok_attribution.attribution.roll_up import refresh_day
from tiktok_attribution.attribution.stale_days import LEASE_SECONDS, finishing, mark_days, next_stale_day
from tiktok_attribution.models import DailyAttribution, RecordedConversion, StaleDay

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _on(configure: Configure) -> None:
    configure()


def values(clock: str, model: str, window: int, of: str = "campaign_id") -> dict[tuple[str, str], str]:
    """The value by day and campaign."""
    rows = DailyAttribution.objects.filter(clock=clock, model=model, window=window).order_by("day", of)
    return {(str(row.day), getattr(row, of)): f"{row.value:.2f}" for row in rows}


def everything() -> list[tuple[Any, ...]]:
    names = [field.name for field in DailyAttribution._meta.concrete_fields if field.name != "id"]
    return sorted(DailyAttribution.objects.values_list(*names), key=repr)


def test_by_conversion_time_and_by_click_time() -> None:
    clicked(moment_of("2026-02-28 23:30"), "A")
    clicked(moment_of("2026-03-01 09:00"), "B")
    at = moment_of("2026-03-02 10:00")
    converted(at)
    worked(at + 60)
    assert values("conversion", "linear", 7) == {("2026-03-02", "A"): "50.00", ("2026-03-02", "B"): "50.00"}
    assert values("click", "linear", 7) == {("2026-02-28", "A"): "50.00", ("2026-03-01", "B"): "50.00"}
    assert values("click", "last_tiktok", 7) == {("2026-03-01", "B"): "100.00"}
    assert values("conversion", "last_tiktok", 1) == {("2026-03-02", ""): "100.00"}
    assert values("click", "last_tiktok", 1) == {("2026-03-02", ""): "100.00"}


def test_what_no_touch_led_to_has_no_traffic() -> None:
    at = moment_of("2026-03-02 10:00")
    converted(at)
    worked(at + 60)
    rows = DailyAttribution.objects.all()
    assert {row.traffic for row in rows} == {""}
    assert len(rows) == 2 * 4 * len(REPORT_MODELS)
    assert {(row.conversions, row.value) for row in rows} == {(1, 100)}


def test_the_day_is_that_of_the_advertiser(configure: Configure) -> None:
    at = moment_of("2026-03-02 07:30", "Europe/Berlin")
    configure(MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": "America/Los_Angeles"}})
    converted(at)
    converted(at, shop=SECOND_PIXEL, event_id="sale-2")  # no advertiser is known: TIME_ZONE, here UTC
    worked(at + 60)
    days = {(row.shop, str(row.day)) for row in DailyAttribution.objects.all()}
    assert days == {(PIXEL, "2026-03-01"), (SECOND_PIXEL, "2026-03-02")}


@pytest.mark.parametrize(
    ("click", "bought", "campaign"),
    [
        ("2026-03-28 12:00", "2026-03-29 12:30", "A"),  # 84,600 s: in the window of one day
        ("2026-10-24 12:00", "2026-10-25 11:30", ""),  # 88,200 s: not in it
    ],
)
def test_across_a_change_of_summer_time(configure: Configure, click: str, bought: str, campaign: str) -> None:
    configure(MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": "Europe/Berlin"}})
    clicked(moment_of(click, "Europe/Berlin"), "A")
    at = moment_of(bought, "Europe/Berlin")
    converted(at)
    worked(at + 60)
    assert values("conversion", "last_tiktok", 1) == {(bought[:10], campaign): "100.00"}


@pytest.mark.parametrize(
    ("local", "day"),
    [
        ("2026-03-29 00:00", "2026-03-29"),
        ("2026-03-29 23:59", "2026-03-29"),
        ("2026-03-30 00:00", "2026-03-30"),
        ("2026-10-25 23:59", "2026-10-25"),
        ("2026-10-26 00:00", "2026-10-26"),
    ],
)
def test_every_minute_of_a_short_and_a_long_day_is_counted_once(configure: Configure, local: str, day: str) -> None:
    configure(MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": "Europe/Berlin"}})
    at = moment_of(local, "Europe/Berlin")
    converted(at)
    worked(at + 60)
    assert values("conversion", "last_touch", 7) == {(day, ""): "100.00"}


def test_a_refund_lowers_the_conversions_own_day() -> None:
    at = moment_of("2026-03-02 10:00")
    clicked(at - 2 * DAY, "A")
    clicked(at - DAY, "B")
    row = converted(at)
    worked(at + 60)
    RecordedConversion.objects.update(refunded=Decimal(30), refunded_at=at + 40 * DAY, is_stale=True)
    worked(at + 40 * DAY)
    assert values("conversion", "linear", 7) == {("2026-03-02", "A"): "35.00", ("2026-03-02", "B"): "35.00"}
    rows = DailyAttribution.objects.filter(clock="conversion", model="linear", window=7)
    assert [(one.conversions, one.refunded) for one in rows] == [(Decimal("0.5"), 15)] * 2
    RecordedConversion.objects.filter(pk=row.pk).update(is_reversed=True, is_stale=True)
    worked(at + 41 * DAY)
    assert {(one.conversions, one.value, one.refunded) for one in rows.all()} == {(0, 0, 50)}


def test_new_customers_events_and_currencies_have_rows_of_their_own() -> None:
    at = moment_of("2026-03-02 10:00")
    converted(at, event_id="1", declared_new=True)
    converted(at, event_id="2", declared_new=False)
    converted(at, event_id="3")
    converted(at, event_id="4", currency="USD")
    converted(at, None, event_id="5", currency="", name="Lead")
    worked(at + 60)
    rows = DailyAttribution.objects.filter(clock="click", model="linear", window=28)
    assert {(row.name, row.is_new, row.currency, row.value) for row in rows} == {
        ("Purchase", True, "EUR", 100),
        ("Purchase", False, "EUR", 100),
        ("Purchase", None, "EUR", 100),
        ("Purchase", None, "USD", 100),
        ("Lead", None, "", 0),
    }


def test_every_clock_model_and_window_sums_to_the_conversions() -> None:
    at = moment_of("2026-03-20 10:00")
    for number in range(9):
        clicked(at - number * 3 * DAY - 5, str(number), traffic="organic" if number % 4 == 3 else "paid")
        clicked(at - number * DAY - 5, "same", browser=PHONE)
    for number in range(7):
        browser = PHONE if number % 2 else None
        converted(at + number * 7000, f"{number + 1}0.01", event_id=str(number), visitor_key=browser)
    converted(at, event_id="own")
    worked(at + DAY)
    sums: dict[tuple[str, str, int], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in DailyAttribution.objects.all():
        total = sums[row.clock, row.model, row.window]
        total[0] += row.conversions
        total[1] += row.value
    assert len(sums) == 2 * 4 * len(REPORT_MODELS)
    assert {tuple(total) for total in sums.values()} == {(Decimal(8), Decimal("380.07"))}


def test_computing_again_gives_the_same_rows() -> None:
    at = moment_of("2026-03-20 10:00")
    for number in range(6):
        clicked(at - number * DAY, str(number))
        converted(at - number * 3600, event_id=str(number))
    worked(at + 60)
    before, keys = everything(), set(DailyAttribution.objects.values_list("pk", flat=True))
    mark_stale()
    worked(at + 120)
    assert everything() == before
    assert set(DailyAttribution.objects.values_list("pk", flat=True)) == keys  # nothing was written
    DailyAttribution.objects.all().delete()
    mark_stale()
    worked(at + 180)
    assert everything() == before


def test_another_window_computes_everything_again(configure: Configure) -> None:
    at = moment_of("2026-03-20 10:00")
    clicked(at - 20 * DAY, "A")
    converted(at)
    configure(windows=(7,))
    worked(at + 60)
    assert {row.window for row in DailyAttribution.objects.all()} == {7}
    configure(windows=(7, 30))
    worked(at + 120)
    assert values("conversion", "last_tiktok", 30) == {("2026-03-20", "A"): "100.00"}


def test_another_time_zone_leaves_nothing_on_the_old_days(configure: Configure) -> None:
    at = moment_of("2026-03-02 07:30", "Europe/Berlin")
    clicked(at - DAY, "A")
    converted(at)
    for zone, day in (("Europe/Berlin", "2026-03-02"), ("America/Los_Angeles", "2026-03-01")):
        configure(MARKETING_API={"7001": {"pixels": [PIXEL], "time_zone": zone}})
        worked(at + 60)
        assert values("conversion", "last_tiktok", 7) == {(day, "A"): "100.00"}


def test_a_day_whose_conversions_were_deleted_keeps_its_sums(configure: Configure) -> None:
    at = moment_of("2026-03-20 10:00")
    converted(at)
    worked(at + 60)
    before = everything()
    RecordedConversion.objects.all().delete()
    mark_days({(DailyAttribution.objects.all()[0].day, PIXEL)}, using="default")
    worked(at + 401 * DAY)
    assert everything() == before
    assert not StaleDay.objects.exists()


def test_a_change_during_the_computation_is_not_lost() -> None:
    day = DailyAttribution(day="2026-03-20").day
    mark_days({(day, PIXEL)}, using="default")  # type: ignore[arg-type]
    stale = next_stale_day(using="default", now=1000.0)
    assert stale is not None
    assert next_stale_day(using="default", now=1001.0) is None  # it is leased
    mark_days({(day, PIXEL)}, using="default")  # type: ignore[arg-type]
    refresh_day(stale, using="default", now=1000.0)
    assert next_stale_day(using="default", now=1002.0) is not None


def test_a_worker_that_lost_its_lease_stores_nothing() -> None:
    mark_days({("2026-03-20", PIXEL)}, using="default")  # type: ignore[arg-type]
    late = next_stale_day(using="default", now=1000.0)
    other = next_stale_day(using="default", now=1001.0 + LEASE_SECONDS)
    assert late is not None
    assert other is not None
    with finishing(late, using="default") as is_ours:
        assert not is_ours
    with finishing(other, using="default") as is_ours:
        assert is_ours
    assert not StaleDay.objects.exists()


def test_a_lease_of_a_wrong_clock_ends() -> None:
    mark_days({("2026-03-20", PIXEL)}, using="default")  # type: ignore[arg-type]
    StaleDay.objects.update(leased_until=10.0**10)
    assert next_stale_day(using="default", now=1000.0) is not None


@pytest.mark.faults
@pytest.mark.on_engine("postgres", "mariadb")
def test_workers_at_once_leave_one_set_of_rows() -> None:
    at = moment_of("2026-03-20 10:00")
    for number in range(20):
        clicked(at - number * 3600, str(number % 3))
        converted(at - number * 5000, event_id=str(number))
    worked(at + 60)
    before = everything()
    DailyAttribution.objects.all().delete()
    barrier = threading.Barrier(3, timeout=20)

    def run(_: int) -> None:
        try:
            barrier.wait()
            mark_stale()
            worked(at + 120)
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    worked(at + 180 + LEASE_SECONDS)
    assert everything() == before
