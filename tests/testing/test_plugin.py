"""The kit as people use it in their own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.shop.models import Order
from tiktok_attribution.conversions.track import track
from tiktok_attribution.testing.assertions import assert_not_tracked, assert_tracked, recorded
from tiktok_attribution.testing.server import StandIn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def declared(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {
        **settings.TIKTOK_ATTRIBUTION,
        "SITE_URL": "https://shop.example",
        "CONVERSIONS": {
            "shop.Order": {
                "event": "Purchase",
                "when": {"status": "paid"},
                "value": "total",
                "currency": "currency",
                "user": {"email": "email"},
            }
        },
    }


def test_a_purchase_from_the_model_to_the_stand_in(tiktok_standin: StandIn, tiktok_deliver: Callable[[], Any]) -> None:
    order = Order.objects.create(status="paid", total="19.90", email="ada@example.com")
    event = assert_tracked("Purchase", value=19.9, currency="USD", page__url="https://shop.example/")
    assert event["event_id"] == f"order-{order.pk}"
    assert tiktok_deliver()["delivered"] == 1
    assert tiktok_standin.ledger.counts()["Purchase"].server == 1


@pytest.fixture
def without_environment(settings: Any) -> None:
    """Settings that have token and pixel from an environment which lacks them here."""
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ACCESS_TOKEN": "", "PIXEL_CODE": ""}


def test_no_token_and_no_pixel_are_needed(
    without_environment: None, tiktok_standin: StandIn, tiktok_deliver: Callable[[], Any]
) -> None:
    Order.objects.create(status="paid", total="19.90")
    tiktok_deliver()
    assert tiktok_standin.ledger.counts()["Purchase"].server == 1


def test_what_never_arrived_is_counted_as_such(tiktok_standin: StandIn) -> None:
    counts = tiktok_standin.ledger.counts()
    assert counts["Purchase"].server == counts["Purchase"].browser == counts["Purchase"].counted == 0
    assert counts == {}


def test_delivering_reaches_the_stand_in_alone(settings: Any, request: pytest.FixtureRequest) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "API_URL": "https://tiktok.invalid/"}
    deliver = request.getfixturevalue("tiktok_deliver")
    Order.objects.create(status="paid", total="19.90")
    assert deliver()["delivered"] == 1


def test_nothing_recorded_is_nothing_tracked() -> None:
    Order.objects.create(status="new")
    assert_not_tracked()
    assert_not_tracked("Purchase")


def test_what_was_recorded_instead_is_told() -> None:
    track(None, "Contact")
    with pytest.raises(AssertionError, match=r"Purchase was recorded 0 times, not 1\. Recorded: Contact \(waiting\)"):
        assert_tracked("Purchase")


def test_a_wrong_value_is_told() -> None:
    track(None, "Contact", description="chat")
    with pytest.raises(AssertionError, match="description of Contact is 'chat', not 'call'"):
        assert_tracked("Contact", description="call")
    with pytest.raises(AssertionError, match="user__email of Contact is not there"):
        assert_tracked("Contact", user__email="x")


def test_an_invalid_event_is_told_with_its_reason() -> None:
    track(None, "purchase")
    with pytest.raises(AssertionError, match=r"recorded as invalid: .*Purchase"):
        assert_tracked("purchase")


def test_an_event_too_many_is_told() -> None:
    track(None, "Contact")
    with pytest.raises(AssertionError, match="Contact"):
        assert_not_tracked("Contact")
    assert_tracked("Contact", times=1)
    assert_tracked("Search", times=0)


def test_events_are_found_by_id() -> None:
    track(None, "Contact", event_id="one")
    track(None, "Contact", event_id="two")
    assert [event["event_id"] for event in recorded(event_id="two")] == ["two"]
