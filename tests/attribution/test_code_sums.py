"""Voucher codes: which are counted, on which day, and that they are never mixed with clicks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.attribution.samples import DAY, PIXEL, REFUNDABLE, SECOND_PIXEL, clicked, converted, moment_of, sold, worked
from tiktok_attribution.attribution.code_sums import code_sums, mark_days_of_code
from tiktok_attribution.attribution.erasure import erase_conversions
from tiktok_attribution.attribution.report_query import ReportQuery
from tiktok_attribution.models import DailyAttribution, DailyCode, RecordedConversion, StaleDay, VoucherCode

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)
NOON = moment_of("2026-03-02 12:00")
MARCH = {"first": date(2026, 3, 1), "last": date(2026, 3, 31)}


@pytest.fixture(autouse=True)
def _on(configure: Configure) -> None:
    configure()


def listed(code: str = "ANNA10", **values: str) -> VoucherCode:
    voucher = VoucherCode(code=code, **{"creator": "Anna", **values})
    voucher.save()
    mark_days_of_code(code)
    return voucher


def sums(**values: Any) -> dict[str, tuple[int, dict[str, str]]]:
    found = code_sums(ReportQuery(**{**MARCH, **values}), using="default")
    return {
        one.voucher.code: (one.conversions, {currency: f"{value:.2f}" for currency, value in one.value.items()})
        for one in found
    }


def test_a_code_counts_whatever_its_capitals_and_blanks() -> None:
    listed("Anna10")
    for number, code in enumerate(("ANNA10", "anna10", " Anna10 ", "BEN5", "")):
        converted(NOON + number, event_id=f"sale-{number}", code=code)
    worked(NOON + DAY)

    assert sums() == {"Anna10": (3, {"EUR": "300.00"})}


def test_codes_that_are_not_listed_are_not_stored() -> None:
    converted(NOON, code="FOR-ADA-ONLY-1815")
    worked(NOON + DAY)

    assert DailyAttribution.objects.exists()
    assert not DailyCode.objects.exists()


def test_a_code_that_is_listed_later_counts_the_conversions_from_before() -> None:
    converted(NOON, code="ANNA10")
    worked(NOON + DAY)
    assert sums() == {}
    listed("anna10")
    worked(NOON + DAY)

    assert sums() == {"anna10": (1, {"EUR": "100.00"})}


def test_refunds_and_reversals_are_taken_off() -> None:
    listed()
    converted(NOON, event_id="part", code="ANNA10", refunded=Decimal("30.00"))
    converted(NOON, event_id="gone", code="ANNA10", is_reversed=True)
    converted(NOON, event_id="none", value=None, code="ANNA10", currency="")
    worked(NOON + DAY)

    assert sums() == {"ANNA10": (2, {"EUR": "70.00"})}


def test_it_is_the_day_of_the_conversion_in_the_zone_of_the_shop(configure: Configure) -> None:
    configure(MARKETING_API={"7001234567890123456": {"pixels": [SECOND_PIXEL], "time_zone": "America/Los_Angeles"}})
    listed()
    clicked(NOON - 5 * DAY, "A")
    converted(moment_of("2026-03-02 06:00"), code="ANNA10", shop=SECOND_PIXEL)
    worked(NOON + DAY)

    (row,) = DailyCode.objects.all()
    assert (row.day, row.shop) == (date(2026, 3, 1), SECOND_PIXEL)


def test_currencies_shops_events_and_customers() -> None:
    listed()
    converted(NOON, event_id="1", code="ANNA10", declared_new=True, is_new=True)
    converted(NOON, event_id="2", code="ANNA10", currency="USD", shop=SECOND_PIXEL)
    converted(NOON, event_id="3", code="ANNA10", name="Subscribe", value="5.00")
    worked(NOON + DAY)

    assert sums() == {"ANNA10": (3, {"EUR": "105.00", "USD": "100.00"})}
    assert sums(shop=PIXEL) == {"ANNA10": (2, {"EUR": "105.00"})}
    assert sums(name="Subscribe") == {"ANNA10": (1, {"EUR": "5.00"})}
    assert sums(customers="new") == {"ANNA10": (1, {"EUR": "100.00"})}
    assert sums(first=date(2026, 3, 3)) == {}


def test_codes_are_never_mixed_with_clicks() -> None:
    converted(NOON, code="ANNA10")
    clicked(NOON - DAY, "A")
    worked(NOON + DAY)

    def stored() -> list[Any]:
        names = [field.name for field in DailyAttribution._meta.concrete_fields if field.name != "id"]
        return sorted(DailyAttribution.objects.values_list(*names), key=repr)

    before = stored()
    listed()
    worked(NOON + DAY)

    assert stored() == before
    assert sums() == {"ANNA10": (1, {"EUR": "100.00"})}


def test_days_that_are_computed_again_stay_the_same() -> None:
    listed()
    converted(NOON, code="ANNA10")
    worked(NOON + DAY)
    for _ in range(2):
        RecordedConversion.objects.update(is_stale=True)
        mark_days_of_code("ANNA10")
        worked(NOON + DAY)
        assert sums() == {"ANNA10": (1, {"EUR": "100.00"})}


def test_an_erasure_leaves_the_sums() -> None:
    listed()
    one, _ = (converted(NOON, event_id=event_id, code="ANNA10") for event_id in ("1", "2"))
    worked(NOON + DAY)
    erase_conversions([one.pk])
    assert StaleDay.objects.exists()
    worked(NOON + DAY)

    assert RecordedConversion.objects.count() == 1
    assert sums() == {"ANNA10": (2, {"EUR": "200.00"})}
    assert sorted(DailyCode.objects.values_list("is_erased", flat=True)) == [False, True]


def test_a_code_that_left_the_list_is_not_shown_and_returns() -> None:
    voucher = listed()
    converted(NOON, code="ANNA10")
    worked(NOON + DAY)
    voucher.delete()
    assert sums() == {}
    listed(creator="Ben")
    worked(NOON + DAY)

    assert sums() == {"ANNA10": (1, {"EUR": "100.00"})}


def test_the_code_of_a_declared_object_counts(configure: Configure) -> None:
    configure(REFUNDABLE)
    listed()
    sold("80.00", voucher="anna10")
    worked()
    rows = DailyCode.objects.all()

    assert [(row.folded, row.conversions, row.value) for row in rows] == [("anna10", 1, Decimal(80))]
