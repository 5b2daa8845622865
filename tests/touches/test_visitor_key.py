"""The visitor's key stands beside events and snapshots of visitors that agreed, and costs no statement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.consent.conftest import ASKED, PURCHASE
from tests.shop.models import Order
from tests.touches.conftest import AGENT, Configure, Land
from tiktok_attribution.conversions import receivers
from tiktok_attribution.delivery.outbox import clear_bodies
from tiktok_attribution.models import OutboxEvent, Touch, VisitorSnapshot
from tiktok_attribution.visitor import visitor_key

pytestmark = [pytest.mark.django_db, pytest.mark.privacy]

AGENT_HEADER = {"HTTP_USER_AGENT": AGENT}


@pytest.fixture(autouse=True)
def _declared(configure: Configure) -> None:
    configure(CONVERSIONS={"shop.Order": PURCHASE})
    receivers.connect()


def kept() -> set[UUID | None]:
    """The keys beside all events and snapshots."""
    events = OutboxEvent.objects.values_list("visitor_key", flat=True)
    return {*events, *VisitorSnapshot.objects.values_list("visitor_key", flat=True)}


def test_an_event_and_a_snapshot_carry_the_key_of_their_browser(land: Land, client: Client) -> None:
    land()
    client.post("/lead/", **AGENT_HEADER)
    client.post("/order/", **AGENT_HEADER)
    assert (OutboxEvent.objects.count(), VisitorSnapshot.objects.count()) == (1, 1)
    assert kept() == {Touch.objects.get().visitor_key}


def test_a_webhook_recalls_the_key_of_who_made_the_order(land: Land, client: Client) -> None:
    land()
    client.post("/order/", **AGENT_HEADER)
    other = Client()
    land("ttclid=of-another", browser=other)
    other.get(f"/hooks/pay/?order={Order.objects.get().pk}", **AGENT_HEADER)
    event = OutboxEvent.objects.get(name="Purchase")
    assert event.visitor_key == Touch.objects.order_by("pk").first().visitor_key  # type: ignore[union-attr]


def test_an_order_that_is_paid_at_once_carries_it_too(land: Land, client: Client) -> None:
    land()
    client.get("/app/order/?paid=1", **AGENT_HEADER)
    assert OutboxEvent.objects.get().visitor_key == Touch.objects.get().visitor_key


@pytest.mark.parametrize(
    ("options", "cookies", "headers"),
    [
        ({"ATTRIBUTION": False}, {}, {}),
        ({"CONSENT": ASKED}, {"tiktok_consent": ""}, {}),
        ({"CONSENT": ASKED}, {"tiktok_consent": "denied"}, {}),
        ({}, {}, {"HTTP_SEC_GPC": "1"}),
        ({"ON_GPC": "limited_data_use"}, {}, {"HTTP_SEC_GPC": "1"}),
        ({"LIMITED_DATA_USE": True}, {}, {}),
    ],
    ids=["off", "no answer", "denied", "opt-out", "limited by the visitor", "limited by the site"],
)
def test_without_consent_nothing_carries_it(  # noqa: PLR0917 -- fixtures
    options: dict[str, Any],
    cookies: dict[str, str],
    headers: dict[str, str],
    land: Land,
    client: Client,
    configure: Configure,
) -> None:
    land()
    configure(**options)
    for name, value in cookies.items():
        client.cookies[name] = value
    client.post("/lead/", **AGENT_HEADER, **headers)
    client.post("/order/", **AGENT_HEADER, **headers)
    assert kept() <= {None}


def test_consent_that_only_the_site_knows_reads_no_cookie(land: Land, client: Client, configure: Configure) -> None:
    land()
    configure(CONSENT=ASKED, CONVERSIONS={"shop.Order": {**PURCHASE, "consent": lambda order: True}})
    receivers.connect()
    client.get("/app/order/?paid=1", **AGENT_HEADER)
    assert kept() == {None}
    assert OutboxEvent.objects.count() == 1


def test_staff_who_enter_an_order_lend_it_no_key(land: Land, client: Client) -> None:
    land()
    client.force_login(get_user_model().objects.create_user("colleague", is_staff=True))
    client.post("/order/", **AGENT_HEADER)
    assert kept() <= {None}


def test_a_refusal_takes_the_key_from_the_snapshot(land: Land, client: Client, configure: Configure) -> None:
    configure(CONSENT=ASKED)
    client.cookies["tiktok_consent"] = "granted"
    land()
    client.post("/order/", **AGENT_HEADER)
    assert kept() != {None}
    client.cookies["tiktok_consent"] = "denied"
    client.get("/page/", **AGENT_HEADER)
    assert kept() == {None}


@pytest.mark.parametrize("address", ["/lead/?event_id=EVENT", "/order/", "/app/order/?paid=1", "/app/order/?then=1"])
def test_a_checkout_costs_no_statement_more(address: str, land: Land, client: Client, configure: Configure) -> None:
    land()
    counted = []
    for is_on in (True, False, True, False):
        configure(ATTRIBUTION=is_on)
        with CaptureQueriesContext(connection) as captured:
            client.get(address.replace("EVENT", f"lead-{len(counted)}"), **AGENT_HEADER)
        counted.append(len(captured))
    assert counted[2] == counted[3] > 0  # the first ones warm up what is made once


@pytest.mark.hostile
def test_a_key_that_the_site_has_not_signed_is_beside_nothing(client: Client) -> None:
    client.cookies[visitor_key.COOKIE] = "0" * 32
    client.post("/lead/", **AGENT_HEADER)
    assert kept() == {None}


def test_the_key_goes_with_the_body(land: Land, client: Client) -> None:
    land()
    client.post("/lead/", **AGENT_HEADER)
    clear_bodies([OutboxEvent.objects.get().pk], using="default")
    assert kept() == {None}
