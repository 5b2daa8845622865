"""Refunds, reversals, newness and voucher codes: what the worker reads of the object after it counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.attribution.models import Sale
from tests.attribution.samples import DAY, PURCHASE, REFUNDABLE, clicked, happened, sold, told, worked
from tests.visitor.undone import rolled_back
from tiktok_attribution import Conversion, recheck
from tiktok_attribution.conversions import receivers, registry
from tiktok_attribution.conversions.validation import fatal_problems, problems
from tiktok_attribution.models import ChangedObject, ConversionPerson, RecordedConversion

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _refundable(configure: Configure) -> None:
    configure(REFUNDABLE)


def refund(sale: Sale, amount: str, **fields: Any) -> None:
    sale.refunded_total = Decimal(amount)
    sale.save(**fields)


def test_a_refund_lowers_the_value_and_not_the_count() -> None:
    now = time.time()
    clicked(now - 2 * DAY, "A")
    clicked(now - DAY, "B")
    sale = sold()
    worked()
    refund(sale, "30.00")
    assert worked()["changed"] == 1
    found = told(sale)
    assert (found.value, found.net_value, found.refunded) == (100, 70, 30)
    assert found.refunded_at is not None
    assert [(str(one.share), str(one.value)) for one in found.credits[7]["linear"]] == [("1/2", "35.00")] * 2


@pytest.mark.parametrize(("amount", "left"), [("100.00", 0), ("110.00", 0), ("-30.00", 70)])
def test_no_refund_makes_a_value_negative(amount: str, left: int) -> None:
    sale = sold()
    worked()
    refund(sale, amount)
    worked()
    assert told(sale).net_value == left


def test_a_reversal_takes_everything_and_gives_it_back() -> None:
    sale = sold()
    worked()
    sale.status = "cancelled"
    sale.save()
    worked()
    assert (told(sale).is_reversed, told(sale).net_value, told(sale).value) == (True, 0, 100)
    sale.status = "paid"
    sale.save()
    worked()
    assert (told(sale).is_reversed, told(sale).net_value, told(sale).refunded_at) == (False, 100, None)


def test_a_refund_before_the_worker_came_is_seen_too() -> None:
    sale = sold()
    refund(sale, "5.00")
    worked()
    assert told(sale).net_value == 95


def test_saving_only_the_refund_is_seen() -> None:
    sale = sold()
    worked()
    refund(sale, "5.00", update_fields=["refunded_total"])
    worked()
    assert told(sale).net_value == 95


def test_a_save_of_other_fields_adds_no_statement() -> None:
    sale = sold()
    sale.save(update_fields=["email"])
    assert not ChangedObject.objects.exists()


def test_a_later_save_adds_one_row() -> None:
    sale = sold()
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        refund(sale, "5.00")
    added = [query["sql"] for query in queries if "changedobject" in query["sql"]]
    assert len(added) == 1
    assert ChangedObject.objects.get().object_pk == str(sale.pk)


def test_a_refund_that_is_rolled_back_is_none() -> None:
    sale = sold()
    worked()
    with rolled_back():
        refund(sale, "5.00")
    worked()
    assert not ChangedObject.objects.exists()
    assert told(sale).net_value == 100


def test_a_refund_without_a_signal_is_found_once_a_day() -> None:
    sale = sold()
    worked()
    Sale.objects.update(refunded_total=Decimal(5))
    worked()
    assert told(sale).net_value == 100
    worked(time.time() + DAY + 60)
    assert told(sale).net_value == 95


def test_recheck_finds_it_at_once() -> None:
    sale = sold()
    worked()
    Sale.objects.update(refunded_total=Decimal(5))
    recheck(sale)
    worked()
    assert told(sale).net_value == 95


def test_after_sixty_days_only_a_save_is_noticed() -> None:
    sale = sold()
    happened(sale, int(time.time()) - 61 * DAY)
    worked()
    Sale.objects.update(refunded_total=Decimal(5))
    worked(time.time() + DAY + 60)
    assert told(sale).net_value == 100
    refund(sale, "6.00")
    worked()
    assert told(sale).net_value == 94


def test_a_deleted_object_keeps_what_was_read_last() -> None:
    sale = sold()
    refund(sale, "5.00")
    worked()
    pk = sale.pk
    sale.delete()
    worked(time.time() + DAY + 60)
    assert RecordedConversion.objects.get(object_pk=str(pk)).refunded == 5


def test_without_the_declaration_nothing_is_noted(configure: Configure) -> None:
    configure(PURCHASE)
    sale = sold()
    refund(sale, "5.00")
    assert not ChangedObject.objects.exists()
    worked()
    assert told(sale).refunded == 0


def test_a_declaration_that_fails_stops_no_save_and_no_worker(configure: Configure) -> None:
    configure({**REFUNDABLE, "refunded": lambda sale: 1 / 0})
    sale = sold()
    sale.save()
    worked()
    assert told(sale).refunded == 0


def test_amounts_in_minor_units(configure: Configure) -> None:
    configure({**REFUNDABLE, "value": lambda sale: 10_000, "refunded": lambda sale: 3000}, VALUES_IN_MINOR_UNITS=True)
    sale = sold()
    worked()
    assert (told(sale).value, told(sale).net_value) == (100, 70)


def test_the_voucher_code_is_kept() -> None:
    sale = sold(voucher=" LENA10 ")
    worked()
    assert told(sale).code == "LENA10"


@pytest.mark.parametrize("told_first", [True, False, None])
def test_the_declaration_says_who_is_new(told_first: bool | None) -> None:
    sale = sold(is_first_order=told_first)
    worked()
    assert told(sale).is_new is told_first


def test_else_earlier_conversions_say_it(configure: Configure) -> None:
    configure(PURCHASE, join=("email",))
    first = sold(email="ada@example.com")
    second = sold(email="ada@example.com")
    other = sold(email="eve@example.com")
    unknown = sold()
    worked()
    assert [told(sale).is_new for sale in (first, second, other, unknown)] == [True, False, True, None]


def test_newness_is_unknown_before_the_history_is_read(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(PURCHASE, join=("email",))
    sale = sold(email="ada@example.com")
    with monkeypatch.context() as patch:
        patch.setattr("tiktok_attribution.attribution.joining.is_history_read", lambda: False)
        worked()
        assert told(sale).is_new is None
    RecordedConversion.objects.update(is_stale=True)
    worked()
    assert told(sale).is_new is True


def test_an_earlier_conversion_that_comes_later_corrects_it(configure: Configure) -> None:
    configure(PURCHASE, join=("email",))
    sale = sold(email="ada@example.com")
    worked()
    assert told(sale).is_new is True
    earlier = sold(email="ada@example.com")
    happened(earlier, int(time.time()) - DAY)
    worked()
    assert (told(earlier).is_new, told(sale).is_new) == (True, False)


def test_a_returning_customer_stays_one_when_the_past_is_deleted(configure: Configure) -> None:
    configure(PURCHASE, join=("email",))
    first, second = sold(email="ada@example.com"), sold(email="ada@example.com")
    worked()
    ConversionPerson.objects.filter(conversion__object_pk=str(first.pk)).delete()
    RecordedConversion.objects.update(is_stale=True)
    worked()
    assert told(second).is_new is False


def test_the_class_form_has_them_as_methods(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure([])
    monkeypatch.setattr(registry, "_registered", [])

    @registry.register(Sale)
    class SalePurchase(Conversion):
        event = "Purchase"

        def happened(self, obj: Any) -> bool:
            return bool(obj.status != "new")

        def properties(self, obj: Any) -> dict[str, Any]:
            return {"value": obj.total, "currency": obj.currency}

        def refunded(self, obj: Any) -> Any:
            return obj.refunded_total

        def is_reversed(self, obj: Any) -> bool:
            return bool(obj.status == "cancelled")

        def is_first(self, obj: Any) -> bool | None:
            return True

        def code(self, obj: Any) -> Any:
            return obj.voucher

    receivers.connect()
    sale = sold(voucher="LENA10")
    refund(sale, "30.00")
    worked()
    assert (told(sale).net_value, told(sale).is_new, told(sale).code) == (70, True, "LENA10")
    sale.status = "cancelled"
    sale.save()
    worked()
    assert told(sale).is_reversed


def test_problems_of_the_declaration_are_named() -> None:
    wrong = {**REFUNDABLE, "refunded": "refunded_totl", "reversed": {"status": "x", "stat": 1}, "first": 7}
    told = [message for message, _ in problems("shop.Sale", Sale, wrong)]
    assert any("'refunded' names 'refunded_totl'" in message for message in told)
    assert any("['reversed'] names 'stat'" in message for message in told)
    assert any("'first' is int" in message for message in told)
    (fatal,) = fatal_problems("shop.Sale", Sale, {**REFUNDABLE, "reversed": 7})
    assert "['reversed'] must be a dict" in fatal[0]
