"""A person's conversions can be copied and erased, and old ones are deleted; the sums of the days stay."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.attribution.models import Sale
from tests.attribution.samples import DAY, LAPTOP, PHONE, PIXEL, REFUNDABLE, clicked, converted, happened, sold, worked
from tiktok_attribution.attribution.links import link
from tiktok_attribution.delivery.retention import prune_all
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import (
    ChangedObject,
    ConversionPerson,
    ConversionTouch,
    DailyAttribution,
    OutboxEvent,
    RecordedConversion,
    VisitorLink,
)
from tiktok_attribution.privacy.copy import export
from tiktok_attribution.privacy.erasure import erase
from tiktok_attribution.privacy.person import person

Configure = Callable[..., None]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.privacy]
ADA, EVE = "ada@example.com", "eve@example.com"


@pytest.fixture(autouse=True)
def _on(configure: Configure) -> None:
    configure(join=("email",))


def sums() -> dict[tuple[Any, ...], tuple[Decimal, Decimal]]:
    """Number and value by everything that the report divides by, erased or not."""
    found: dict[tuple[Any, ...], tuple[Decimal, Decimal]] = {}
    for row in DailyAttribution.objects.all():
        key = (row.day, row.shop, row.clock, row.model, row.window, row.name, row.is_new, row.campaign_id)
        count, value = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = count + row.conversions, value + row.value
    return found


def test_an_erasure_leaves_the_sums_and_nothing_of_the_person() -> None:
    now = time.time()
    clicked(now - DAY, "A")
    clicked(now - DAY, "B", browser=PHONE)
    sold("70.00", email=ADA)
    eves = sold("30.00", email=EVE, browser=PHONE)
    worked()
    before = sums()
    told = erase(person(emails=[ADA]))
    assert told["conversions"] == 1
    assert RecordedConversion.objects.get().object_pk == str(eves.pk)
    assert ConversionPerson.objects.count() == ConversionTouch.objects.count() == 1
    worked()
    assert sums() == before
    RecordedConversion.objects.update(is_stale=True)
    worked(time.time() + 2 * DAY)  # and no pass over the outbox records it again
    assert sums() == before
    assert RecordedConversion.objects.count() == 1
    assert {row.is_erased for row in DailyAttribution.objects.filter(campaign_id="A")} == {True}


def test_a_conversion_that_was_not_recorded_yet_never_is() -> None:
    sold(email=ADA)
    erase(person(emails=[ADA]))
    worked()
    assert not RecordedConversion.objects.exists()


def test_a_dry_run_erases_nothing() -> None:
    sold(email=ADA)
    worked()
    assert erase(person(emails=[ADA]), dry=True)["conversions"] == 1
    assert RecordedConversion.objects.exists()


def test_an_old_conversion_is_found_by_its_person_when_the_body_is_gone() -> None:
    sold(email=ADA)
    worked()
    OutboxEvent.objects.all().delete()
    assert erase(person(emails=[ADA]))["conversions"] == 1
    assert not RecordedConversion.objects.exists()


def test_or_by_its_object() -> None:
    sale = sold()
    worked()
    OutboxEvent.objects.all().delete()
    sold()
    assert erase(person(objects=[f"shop.Sale:{sale.pk}"]))["conversions"] == 1


def test_a_copy_holds_what_is_stored() -> None:
    now = time.time()
    clicked(now - DAY, "A", placement="TikTok")
    sale = sold("70.00", email=ADA, voucher="LENA10")
    sold(email=EVE)
    worked()
    (copy,) = export(person(emails=[ADA]))["default"]["conversions"]
    assert json.loads(json.dumps(copy)) == copy
    assert (copy["of"], copy["value"], copy["browser"]) == (f"shop.Sale:{sale.pk}", "70.000000", str(LAPTOP))
    assert copy["touches"][0]["campaign"] == "Campaign A"


def test_conversions_are_deleted_after_their_days(configure: Configure) -> None:
    now = time.time()
    old, young = int(now) - 440 * DAY, int(now) - 399 * DAY
    for number, at in enumerate((old, young)):
        clicked(at - DAY, "A")
        converted(at, event_id=f"sale-{number}")
    worked(old + 60)
    before = sums()
    assert prune_all(now=now)["conversions"] == 1
    assert RecordedConversion.objects.get().at == young
    assert ConversionTouch.objects.count() == 1
    worked(now)
    assert sums() == before


def test_links_of_browsers_are_deleted_too() -> None:
    now = time.time()
    for number, days in enumerate((401, 399)):
        link(UUID(int=number + 1), "email", email_sha256(ADA) or "", int(now) - days * DAY)
    assert prune_all(now=now)["links"] == 1
    assert VisitorLink.objects.get().visitor_key == UUID(int=2)


def test_an_event_older_than_that_is_not_recorded_again(configure: Configure) -> None:
    configure(KEEP_ATTRIBUTION_DAYS=5)
    sale = sold()
    happened(sale, int(time.time()) - 6 * DAY)
    worked()
    assert not RecordedConversion.objects.exists()


def test_notes_of_changed_objects_do_not_stay_when_it_is_switched_off(configure: Configure) -> None:
    configure(REFUNDABLE)
    sale = sold()
    Sale.objects.get(pk=sale.pk).save()
    assert ChangedObject.objects.count() == 1
    configure(REFUNDABLE, ATTRIBUTION=False)
    prune_all()
    assert not ChangedObject.objects.exists()


def test_shop_and_days_of_erased_rows_are_those_of_the_conversion() -> None:
    sold(email=ADA)
    worked()
    erase(person(emails=[ADA]))
    assert {row.shop for row in DailyAttribution.objects.filter(is_erased=True)} == {PIXEL}
