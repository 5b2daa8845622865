"""The kit as people use it in their own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.shop.models import Order
from tiktok_attribution import conf, track
from tiktok_attribution.testing.assertions import assert_not_tracked, assert_tracked, recorded
from tiktok_attribution.testing.plugin import ACCESS_TOKEN, PIXEL_CODE
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


@pytest.mark.parametrize(
    "empty", [{"ACCESS_TOKEN": ""}, {"ACCESS_TOKEN": None}, {"PIXEL_CODE": "", "ACCESS_TOKEN": {}}]
)
def test_what_the_environment_of_the_test_run_lacks_is_filled(
    empty: dict[str, Any], settings: Any, request: pytest.FixtureRequest
) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **empty}
    standin, deliver = (request.getfixturevalue(name) for name in ("tiktok_standin", "tiktok_deliver"))
    Order.objects.create(status="paid", total="19.90", email="ada@example.com")
    deliver()
    assert standin.ledger.counts()["Purchase"].server == 1


def test_each_pixel_of_its_own_has_a_token(settings: Any, request: pytest.FixtureRequest) -> None:
    own = {"PIXEL_CODE": ["C0A", "C0B", "C0C"], "ACCESS_TOKEN": {"C0A": "", "C0B": "own"}}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **own}
    request.getfixturevalue("tiktok_standin")
    filled = conf.current()
    assert [filled.token_of(code) for code in ("C0A", "C0B", "C0C")] == [ACCESS_TOKEN, "own", ACCESS_TOKEN]


@pytest.mark.parametrize(
    "own",
    [
        {"PIXEL_CODE": "", "PIXEL_FOR_REQUEST": lambda request: "", "ACCESS_TOKEN": lambda code: ""},
        {"PIXEL_CODE": "C0-A", "ACCESS_TOKEN": "Bearer x"},
    ],
)
def test_what_is_answered_elsewhere_or_problemn_is_left(
    own: dict[str, Any], settings: Any, request: pytest.FixtureRequest
) -> None:
    settings.TIKTOK_ATTRIBUTION = own
    request.getfixturevalue("tiktok_standin")
    assert own.items() <= settings.TIKTOK_ATTRIBUTION.items()


def test_a_site_without_the_setting_has_a_pixel_too(settings: Any, request: pytest.FixtureRequest) -> None:
    del settings.TIKTOK_ATTRIBUTION
    request.getfixturevalue("tiktok_standin")
    assert conf.current().pixel_code == (PIXEL_CODE,)


def test_delivering_never_reaches_tiktok_itself(settings: Any, tiktok_deliver: Callable[[], Any]) -> None:
    assert settings.TIKTOK_ATTRIBUTION["API_URL"].startswith("http://127.0.0.1:")
