"""Touches that come after the conversion that they led to, and browsers that withdrew."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.attribution.samples import DAY, LAPTOP, PHONE, campaigns, clicked, sold, worked
from tiktok_attribution.attribution.links import link
from tiktok_attribution.attribution.touch_changes import forget_browsers
from tiktok_attribution.events.hashing import external_id_sha256
from tiktok_attribution.models import ConversionTouch, RecordedConversion, Touch, VisitorLink

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)
NONE: dict[int, list[str]] = {1: [], 7: [], 14: [], 28: []}


def test_a_touch_that_is_stored_late_counts(configure: Configure) -> None:
    clicked(time.time() - 80 * DAY, "before")  # what gave the browser its key
    sale = sold()
    worked()
    clicked(time.time() - DAY, "A")
    worked()
    assert campaigns(sale)[7] == ["A"]


def test_also_on_another_device_of_the_person(configure: Configure) -> None:
    configure(join=("external_id",))
    now = time.time()
    link(PHONE, "external_id", external_id_sha256("7") or "", int(now) - DAY)
    sale = sold(customer="7")
    worked()
    clicked(now - DAY, "A", browser=PHONE)
    worked()
    assert campaigns(sale)[7] == ["A"]


def test_a_touch_after_the_conversion_or_long_before_computes_nothing(configure: Configure) -> None:
    sold()
    worked()
    clicked(time.time() + 60, "later")
    clicked(time.time() - 29 * DAY, "before")
    clicked(time.time() - 60, "elsewhere", browser=PHONE)
    assert "joined" not in worked()


def test_a_touch_is_looked_at_once(configure: Configure) -> None:
    clicked(time.time() - DAY, "A")
    sold()
    worked()
    assert worked() == {}


def test_a_withdrawal_forgets_the_browser(configure: Configure) -> None:
    configure(join=("external_id",))
    now = time.time()
    link(PHONE, "external_id", external_id_sha256("7") or "", int(now) - DAY)
    clicked(now - DAY, "A", browser=PHONE)
    clicked(now - DAY, "B")
    phones, laptops = sold(customer="7", browser=PHONE), sold(customer="7", browser=LAPTOP)
    worked()
    assert campaigns(laptops)[7] == campaigns(phones)[7] == ["B"]
    assert ConversionTouch.objects.count() == 4
    assert forget_browsers([PHONE]) == 1
    worked()
    assert {touch.campaign_id for touch in ConversionTouch.objects.all()} == {"B"}
    assert not RecordedConversion.objects.filter(visitor_key=PHONE).exists()
    assert not VisitorLink.objects.filter(visitor_key=PHONE).exists()
    assert Touch.objects.count() == 1


def test_copies_that_outlived_their_touches_are_forgotten_too(configure: Configure) -> None:
    clicked(time.time() - DAY, "A")
    sale = sold()
    worked()
    Touch.objects.all().delete()  # KEEP_TOUCH_DAYS are over
    forget_browsers([LAPTOP])
    worked(time.time() + 100 * DAY)
    assert campaigns(sale) == NONE
