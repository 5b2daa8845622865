"""`visitor_of`: an invoice that a webhook makes has the visitor of its subscription, and that one's consent.

In this shop a ticket is the invoice, and the order that it belongs to the subscription.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conversions.models import Subscription, Ticket
from tests.conversions.samples import PIXEL, SECOND_PIXEL, body, row, rows
from tests.shop.models import Order
from tiktok_attribution import Conversion
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
from tiktok_attribution.delivery.retention import prune_all
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import OutboxEvent, State, VisitorSnapshot
from tiktok_attribution.privacy.copy import export
from tiktok_attribution.privacy.erasure import erase
from tiktok_attribution.privacy.person import person

Configure = Callable[..., None]
pytestmark = [pytest.mark.privacy, pytest.mark.django_db]

INVOICE = {
    "event": "Purchase",
    "when": {"used": True},
    "visitor_of": "order",
    "time": "order.created_at",
    "user": {"email": "order.email"},
}
AGENT, ADA = "Subscriber/1.0", "ada@example.com"
SUBSCRIBERS = {"ttclid": "E.C.P.first", "ip": "81.2.69.142", "user_agent": AGENT}


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.whose_site"
    settings.ALLOWED_HOSTS = [".testserver"]
    configure(conversions={"shop.Ticket": INVOICE}, SNAPSHOT_DAYS=400)


def subscribe(email: str = ADA, **headers: str) -> str:
    client = Client(REMOTE_ADDR="81.2.69.142", HTTP_USER_AGENT=AGENT, **headers)
    client.cookies["ttclid"] = "E.C.P.first"
    return client.get("/order/", {"status": "new", "email": email}).content.decode()


def renew(order: str, code: str = "one", **headers: str) -> None:
    made = Client(REMOTE_ADDR="89.160.20.112", HTTP_USER_AGENT="Payments/2.0", **headers).post(
        f"/hooks/ticket/?order_id={order}&code={code}"
    )
    assert made.status_code == 200


def run() -> dict[str, int]:
    counts: Counter[str] = Counter()
    for conversion in every():
        counts += backfill(conversion, using="default")
    return dict(counts)


def test_a_renewal_carries_the_signals_of_its_subscriptions_visitor() -> None:
    order = subscribe()
    renew(order)
    sent = body()
    assert sent["user"] == {**SUBSCRIBERS, "email": email_sha256(ADA)}
    assert sent["page"] == {"url": "http://testserver/order/"}


def test_every_renewal_does_and_no_copy_is_kept_at_an_invoice() -> None:
    order = subscribe()
    for code in ("one", "two"):
        renew(order, code)
    assert ["81.2.69.142" in one.payload for one in rows()] == [True, True]
    assert list(VisitorSnapshot.objects.values_list("object_label", flat=True)) == ["shop.Order"]


def test_a_renewal_that_counts_later_has_them_too() -> None:
    ticket = Ticket.objects.create(code="one", order_id=subscribe())
    ticket.used = True
    ticket.save()
    assert SUBSCRIBERS.items() <= body()["user"].items()


def test_an_invoice_that_its_visitor_makes_has_the_visitors_signals_of_today() -> None:
    order = subscribe()
    client = Client(REMOTE_ADDR="89.160.20.112", HTTP_USER_AGENT="Today/2.0")
    client.get("/ticket/", {"order_id": order, "code": "one"})
    assert (body()["user"]["user_agent"], body()["user"]["ip"]) == ("Today/2.0", "89.160.20.112")


def test_the_subscription_is_kept_though_it_is_a_conversion_that_was_recorded_at_once(configure: Configure) -> None:
    lead = {"event": "Subscribe", "user": {"email": "email"}}
    configure(conversions={"shop.Order": lead, "shop.Ticket": INVOICE}, SNAPSHOT_DAYS=400)
    renew(subscribe())
    assert SUBSCRIBERS.items() <= body(name="Purchase")["user"].items()
    assert SUBSCRIBERS.items() <= body(name="Subscribe")["user"].items()


def test_the_models_of_visitor_of_are_watched_and_their_children_too() -> None:
    assert {Ticket, Order, Subscription} <= registry.watched_models()
    assert [one.model for one in registry.kept_for_others(Subscription)] == [Order]
    assert registry.kept_for_others(Ticket) == []


@pytest.mark.parametrize("missing", [None, "no visitor"])
def test_without_a_subscription_or_its_visitor_it_goes_without(missing: str | None) -> None:
    order = None if missing is None else str(Order.objects.create(email=ADA).pk)
    ticket = Ticket.objects.create(code="one", used=True, order_id=order)
    assert ticket.pk
    assert set(body().get("user", {})) <= {"email"}


def test_it_goes_to_the_pixel_of_the_shop_that_was_subscribed_in(configure: Configure) -> None:
    configure(
        conversions={"shop.Ticket": INVOICE},
        PIXEL_CODE=[PIXEL, SECOND_PIXEL],
        PIXEL_FOR_REQUEST=lambda request: SECOND_PIXEL if request.get_host().startswith("b.") else PIXEL,
    )
    renew(subscribe(SERVER_NAME="b.testserver"))
    assert row().pixel_code == SECOND_PIXEL


def test_the_refusal_of_the_subscriptions_visitor_holds_for_every_renewal() -> None:
    order = subscribe(HTTP_SEC_GPC="1")
    renew(order)
    assert rows() == []
    assert run() == {"refused": 1}


def test_a_refusal_outlives_the_signals(configure: Configure) -> None:
    refused, agreed = subscribe(HTTP_SEC_GPC="1"), subscribe()
    VisitorSnapshot.objects.update(created_at=timezone.now() - timedelta(days=500))
    prune_all()
    assert list(VisitorSnapshot.objects.values_list("object_pk", flat=True)) == [refused]
    renew(refused, "one")
    assert rows() == []
    renew(agreed, "two")
    assert set(body()["user"]) == {"email"}


def test_other_refusals_go_with_their_time(configure: Configure) -> None:
    configure({"event": "Purchase", "when": {"status": "paid"}})
    subscribe(HTTP_SEC_GPC="1")
    VisitorSnapshot.objects.update(created_at=timezone.now() - timedelta(days=500))
    prune_all()
    assert not VisitorSnapshot.objects.exists()


def test_the_consent_of_the_subscriptions_visitor_counts(configure: Configure) -> None:
    configure(
        conversions={"shop.Ticket": INVOICE}, CONSENT=lambda request: request.headers.get("X-Ads") == "yes" or None
    )
    renew(subscribe(HTTP_X_ADS="yes"), "one")
    assert row().state == State.WAITING
    OutboxEvent.objects.all().delete()
    renew(subscribe(), "two")
    assert row().state == State.AWAITING_CONSENT
    OutboxEvent.objects.all().delete()
    renew(str(Order.objects.create(email=ADA).pk), "three")
    assert rows() == []


def test_a_refusal_of_the_request_that_makes_the_invoice_is_heard_as_well() -> None:
    renew(subscribe(), HTTP_SEC_GPC="1")
    assert rows() == []


def test_a_private_page_of_the_subscription_is_not_one_of_the_invoice(configure: Configure) -> None:
    lead = {"event": "Purchase", "label": "first"}
    configure(conversions={"shop.Order": lead, "shop.Ticket": INVOICE}, PRIVATE_PATHS=["/order/"], SNAPSHOT_DAYS=400)
    renew(subscribe())
    assert (row().object_label, "ttclid" in body()["user"]) == ("shop.Ticket", True)


def test_a_webhook_on_a_private_page_copies_nothing_of_the_subscription(configure: Configure) -> None:
    configure(conversions={"shop.Ticket": INVOICE}, PRIVATE_PATHS=["/hooks/"], SNAPSHOT_DAYS=400)
    order = subscribe()
    renew(order)
    assert rows() == []
    assert AGENT not in VisitorSnapshot.objects.get(object_label="shop.Ticket").signals
    assert run() == {"refused": 1}


def test_a_renewal_does_not_count_as_made_by_a_visitor(configure: Configure) -> None:
    configure(conversions={"shop.Ticket": {**INVOICE, "made_by": "visitor"}}, SNAPSHOT_DAYS=400)
    order = subscribe()
    renew(order)
    assert rows() == []
    assert run() == {"without visitor": 1}


def test_the_backfill_finds_them_in_one_statement_more(configure: Configure) -> None:
    orders = [subscribe() for _ in range(3)] + [subscribe(HTTP_SEC_GPC="1")]
    Ticket.objects.bulk_create([Ticket(code=f"of-{order}", used=True, order_id=order) for order in orders])
    with CaptureQueriesContext(connection) as found:
        for conversion in every():
            backfill(conversion, using="default", dry=True)
    assert len([one for one in found if "visitorsnapshot" in one["sql"]]) == 2
    assert run() == {"recorded": 3, "refused": 1}
    assert all(SUBSCRIBERS.items() <= json.loads(one.payload)["user"].items() for one in rows())


def test_a_renewal_costs_two_reads_and_not_the_subscriptions_row(configure: Configure) -> None:
    configure(conversions={"shop.Ticket": {**INVOICE, "user": {}, "time": "used_on"}}, SNAPSHOT_DAYS=400)
    order = subscribe()
    with CaptureQueriesContext(connection) as found:
        renew(order)
    assert not [one for one in found if 'FROM "shop_order"' in one["sql"]]
    assert len([one for one in found if "SELECT" in one["sql"] and "visitorsnapshot" in one["sql"]]) == 1


def test_erasing_a_person_reaches_the_subscriptions_visitor_and_later_renewals() -> None:
    order = subscribe()
    renew(order)
    assert len(export(person(emails=[ADA]))["default"]["visitor_snapshots"]) == 1
    report = erase(person(emails=[ADA]))
    assert report["databases"]["default"]["snapshots"] == 1
    assert AGENT not in VisitorSnapshot.objects.get().signals
    renew(order, "two")
    assert len(rows()) == 1
    assert not [one for one in rows() if one.payload]


def test_erasing_passes_over_invoices_that_are_gone() -> None:
    renew(subscribe())
    Ticket.objects.all().delete()
    assert erase(person(emails=[ADA]))["databases"]["default"]["events"] == {"waiting": 1}


class InvoicePurchase(Conversion):
    event = "Purchase"
    visitor_models = (Order,)

    def happened(self, obj: Ticket) -> bool:
        return obj.used

    def visitor_of(self, obj: Ticket) -> Any:
        return obj.order


def test_the_class_form_has_a_method(configure: Configure, register: Callable[..., Any]) -> None:
    configure()
    register(Ticket)(InvoicePurchase)
    renew(subscribe())
    assert body()["user"] == SUBSCRIBERS


def test_the_class_form_must_say_which_models_it_gives(register: Callable[..., Any]) -> None:
    class Forgetful(InvoicePurchase):
        visitor_models = ()

    with pytest.raises(ConfigurationError, match="it has visitor_of, but no visitor_models"):
        register(Ticket)(Forgetful)


def test_a_visitor_of_that_fails_costs_the_visitor_and_not_the_event(
    configure: Configure, register: Callable[..., Any]
) -> None:
    class Failing(InvoicePurchase):
        def visitor_of(self, obj: Ticket) -> Any:
            return obj  # not what visitor_models names

    configure()
    register(Ticket)(Failing)
    renew(subscribe())
    assert "user" not in body()


@pytest.mark.parametrize(("days", "warns"), [(30, True), (32, False)])
def test_the_check_says_when_signals_are_kept_for_less_than_a_month(
    configure: Configure, days: int, warns: bool
) -> None:
    configure(conversions={"shop.Ticket": INVOICE}, SNAPSHOT_DAYS=days)
    found = [one for one in run_checks(tags=["tiktok_attribution"]) if one.id == "tiktok_attribution.W023"]
    assert bool(found) is warns
