"""Whose signals an event carries: those of the shopper who made the order, whoever completes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from tests.conversions import site
from tests.conversions.models import PhoneOrder
from tests.conversions.samples import EMAIL, PIXEL, PLAIN, SECOND_PIXEL, body, paid, row, rows
from tests.shop.models import Order
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import every
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import State, VisitorSnapshot
from tiktok_attribution.visitor import snapshot

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db

SHOPPER = {
    "REMOTE_ADDR": "81.2.69.142",
    "HTTP_USER_AGENT": "Shopper/1.0",
    "HTTP_ACCEPT_LANGUAGE": "de-DE,de;q=0.9",
    "HTTP_REFERER": "https://www.google.com/?q=private",
}
ANOTHER = {
    "REMOTE_ADDR": "89.160.20.112",
    "HTTP_USER_AGENT": "Other/2.0",
    "HTTP_ACCEPT_LANGUAGE": "fr",
    "HTTP_REFERER": "https://other.example/",
}
SHOPPERS_KEYS = {
    "ttclid": "E.C.P.click",
    "ttp": "ttp-of-the-shopper",
    "ip": "81.2.69.142",
    "user_agent": "Shopper/1.0",
    "locale": "de-DE",
}
SHOPPERS_PAGE = {"url": "http://testserver/checkout/", "referrer": "https://www.google.com/"}


@pytest.fixture(autouse=True)
def _site(settings: Any, configure: Configure) -> None:
    settings.ROOT_URLCONF = "tests.conversions.site"
    configure(PLAIN)


@pytest.fixture
def shopper() -> Client:
    client = Client(**SHOPPER)
    client.cookies["ttclid"], client.cookies["_ttp"] = "E.C.P.click", "ttp-of-the-shopper"
    return client


@pytest.fixture
def colleague() -> Client:
    client = Client(**ANOTHER)
    client.force_login(User.objects.create_superuser("colleague", "colleague@example.com"))
    return client


def checkout(client: Client, path: str = "/checkout/", **query: str) -> str:
    return client.get(path, query).content.decode()


def by_webhook(order: str, colleague: Client) -> None:
    Client(**ANOTHER).post(f"/hooks/pay/?order={order}")


def by_another_shopper(order: str, colleague: Client) -> None:
    client = Client(**ANOTHER)
    client.cookies["ttclid"] = "E.C.P.other"
    client.get("/pay/", {"order": order})


def by_a_colleague(order: str, colleague: Client) -> None:
    fields = {"status": "paid", "total": "5", "currency": "USD"}
    assert colleague.post(f"/admin/shop/order/{order}/change/", fields).status_code == 302


def by_a_task(order: str, colleague: Client) -> None:
    found = Order.objects.get(pk=order)
    found.status = "paid"
    found.save()


@pytest.mark.parametrize("complete", [by_webhook, by_another_shopper, by_a_colleague, by_a_task])
def test_whoever_completes_it_the_event_carries_the_shoppers_signals(
    shopper: Client, colleague: Client, complete: Callable[[str, Client], None]
) -> None:
    complete(checkout(shopper), colleague)
    assert (body()["user"], body()["page"]) == (SHOPPERS_KEYS, SHOPPERS_PAGE)


def test_an_order_that_counts_at_once_carries_them_too(shopper: Client) -> None:
    checkout(shopper, status="paid")
    assert (body()["user"], body()["page"]["referrer"]) == (SHOPPERS_KEYS, "https://www.google.com/")


def test_an_order_made_by_a_webhook_carries_nobodys_signals() -> None:
    checkout(Client(**ANOTHER), "/hooks/checkout/", status="paid")
    assert "user" not in body()
    assert body()["page"] == {"url": "https://shop.example/"}


def test_an_order_made_by_a_webhook_and_paid_by_a_shopper_carries_nobodys_signals(shopper: Client) -> None:
    order = checkout(Client(**ANOTHER), "/hooks/checkout/")
    shopper.get("/pay/", {"order": order})
    assert "user" not in body()


def test_an_order_made_in_the_admin_carries_nobodys_signals(colleague: Client) -> None:
    fields = {"status": "paid", "total": "5", "currency": "USD"}
    assert colleague.post("/admin/shop/order/add/", fields).status_code == 302
    assert "user" not in body()
    assert VisitorSnapshot.objects.count() == 0


def test_an_excluded_path_is_no_shoppers(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, EXCLUDED_PATHS=["/checkout/"])
    checkout(shopper, status="paid")
    assert "user" not in body()


def test_is_visitor_decides_before_all_else(configure: Configure) -> None:
    configure(PLAIN, IS_VISITOR=lambda request: True)
    checkout(Client(**SHOPPER), "/hooks/checkout/", status="paid")
    assert body()["user"]["ip"] == "81.2.69.142"


def test_is_visitor_that_raises_gives_nobodys_signals(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, IS_VISITOR=lambda request: 1 / 0)
    checkout(shopper, status="paid")
    assert "user" not in body()


@pytest.mark.privacy
def test_a_refusal_is_heard_where_is_visitor_raises(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, IS_VISITOR=lambda request: 1 / 0)
    shopper.defaults["HTTP_SEC_GPC"] = "1"
    checkout(shopper, status="paid")
    assert rows() == []


def test_a_colleagues_browser_refuses_for_nobody_else(colleague: Client) -> None:
    colleague.defaults.update({"HTTP_SEC_GPC": "1", "HTTP_DNT": "1"})
    fields = {"status": "paid", "total": "5", "currency": "USD"}
    assert colleague.post("/admin/shop/order/add/", fields).status_code == 302
    assert body()["event"] == "Purchase"


def test_an_excluded_paths_browser_refuses_for_nobody_else(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, EXCLUDED_PATHS=["/checkout/"])
    shopper.defaults["HTTP_SEC_GPC"] = "1"
    checkout(shopper, status="paid")
    assert body()["event"] == "Purchase"


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_an_order_of_a_prefetched_page_that_is_paid_later_reaches_both_channels(shopper: Client, purpose: str) -> None:
    order = shopper.get("/checkout/", HTTP_SEC_PURPOSE=purpose).content.decode()
    by_webhook(order, shopper)
    assert (body()["user"], body()["page"]) == (SHOPPERS_KEYS, SHOPPERS_PAGE)
    assert f"order-{order}" not in shopper.get("/thanks/", HTTP_SEC_PURPOSE=purpose).content.decode()
    assert f"order-{order}" in shopper.get("/thanks/").content.decode()


@pytest.mark.privacy
def test_of_a_bot_nothing_is_kept_but_its_shops_pixel(configure: Configure, settings: Any, shopper: Client) -> None:
    settings.ALLOWED_HOSTS = [".testserver"]
    configure(PLAIN, PIXEL_CODE=[PIXEL, SECOND_PIXEL], PIXEL_FOR_REQUEST=by_host)
    shopper.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (compatible; Googlebot/2.1)"
    order = shopper.get("/checkout/", SERVER_NAME="b.testserver").content.decode()
    assert "tiktok_pending" not in shopper.cookies
    Client(SERVER_NAME="a.testserver").post(f"/hooks/pay/?order={order}")
    assert (row().pixel_code, "user" in body()) == (SECOND_PIXEL, False)


@pytest.mark.privacy
def test_a_private_page_and_its_click_id_are_kept_nowhere(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, PRIVATE_PATHS=["/checkout/"])
    order = checkout(shopper, ttclid="E.C.P.of-a-private-page")
    kept = VisitorSnapshot.objects.get().signals
    assert "checkout" not in kept
    assert "private-page" not in kept
    by_webhook(order, shopper)
    assert body()["user"] == SHOPPERS_KEYS
    assert body()["page"] == {"url": "https://shop.example/"}


@pytest.mark.privacy
def test_what_happened_on_a_private_page_is_never_told_but_what_follows_is(
    configure: Configure, shopper: Client
) -> None:
    lead = {"event": "Lead", "time": "created_at"}
    configure([lead, {**PLAIN, "time": "created_at"}], PRIVATE_PATHS=["/checkout/"])
    order = checkout(shopper)
    by_webhook(order, shopper)
    for conversion in every():
        backfill(conversion, using="default")
    assert (body()["event"], body()["user"]) == ("Purchase", SHOPPERS_KEYS)


def test_the_signed_in_user_is_matched_as_well(shopper: Client) -> None:
    shopper.force_login(User.objects.create_user("jane", EMAIL))
    checkout(shopper, status="paid")
    assert body()["user"]["email"] == email_sha256(EMAIL)


def test_a_user_model_without_the_mapped_field_costs_only_that_key(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, USER={"email": "no_such_field", "external_id": "pk"})
    shopper.force_login(User.objects.create_user("jane", EMAIL))
    checkout(shopper, status="paid")
    assert "external_id" in body()["user"]


def test_no_visitor_is_kept_for_what_is_recorded_already(shopper: Client) -> None:
    checkout(shopper, status="paid")
    assert VisitorSnapshot.objects.count() == 0


def test_a_visitor_is_kept_for_what_must_be_fixed(configure: Configure, shopper: Client) -> None:
    configure({**PLAIN, "value": {"constant": -1}})
    order = checkout(shopper, status="paid")
    configure(PLAIN)
    Order.objects.get(pk=order).save()
    assert body()["user"] == SHOPPERS_KEYS


def test_no_visitor_is_kept_where_nothing_is_declared(configure: Configure, shopper: Client) -> None:
    configure()
    checkout(shopper)
    assert VisitorSnapshot.objects.count() == 0


def test_no_visitor_is_kept_for_what_this_mode_never_records(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, MODE="standard")
    checkout(shopper)
    assert VisitorSnapshot.objects.count() == 0


def test_the_visitor_is_found_whether_the_proxy_or_the_model_was_saved(
    shopper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "Order", PhoneOrder)
    by_webhook(checkout(shopper), shopper)
    assert body()["user"] == SHOPPERS_KEYS


def test_the_pixel_call_of_an_order_paid_by_webhook_is_shown_to_its_shopper_only(shopper: Client) -> None:
    order = checkout(shopper)
    by_webhook(order, shopper)
    stranger = Client()
    assert f"order-{order}" not in stranger.get("/thanks/").content.decode()
    assert f"order-{order}" in shopper.get("/thanks/").content.decode()


def by_host(request: Any) -> Any:
    return {"a.testserver": PIXEL, "b.testserver": SECOND_PIXEL, "none.testserver": None}[request.get_host()]


@pytest.fixture
def shops(configure: Configure, settings: Any) -> None:
    settings.ALLOWED_HOSTS = [".testserver"]
    configure(PLAIN, PIXEL_CODE=[PIXEL, SECOND_PIXEL], PIXEL_FOR_REQUEST=by_host)


@pytest.mark.usefixtures("shops")
def test_an_order_goes_to_the_pixel_of_the_shop_it_was_made_in() -> None:
    checkout(Client(SERVER_NAME="b.testserver"), status="paid")
    assert row().pixel_code == SECOND_PIXEL


@pytest.mark.usefixtures("shops")
def test_an_order_paid_by_webhook_goes_to_the_pixel_of_the_shop_it_was_made_in(colleague: Client) -> None:
    order = checkout(Client(SERVER_NAME="b.testserver"))
    Client(SERVER_NAME="a.testserver").post(f"/hooks/pay/?order={order}")
    assert row().pixel_code == SECOND_PIXEL


@pytest.mark.usefixtures("shops")
def test_a_shop_without_pixel_records_nothing(colleague: Client) -> None:
    by_a_task(checkout(Client(SERVER_NAME="none.testserver")), colleague)
    checkout(Client(SERVER_NAME="none.testserver"), status="paid")
    assert rows() == []


def test_a_pixel_for_request_that_raises_leaves_the_configured_one(configure: Configure, shopper: Client) -> None:
    configure(PLAIN, PIXEL_FOR_REQUEST=lambda request: 1 / 0)
    checkout(shopper, status="paid")
    assert (row().pixel_code, row().state) == (PIXEL, State.WAITING)


@pytest.mark.faults
def test_a_snapshot_that_can_not_be_read_costs_the_signals_and_not_the_event(
    shopper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = checkout(shopper)
    monkeypatch.setattr(snapshot, "recall", lambda *args, **kwargs: 1 / 0)
    by_webhook(order, shopper)
    assert "user" not in body()


def test_two_visitors_served_at_once_by_an_async_view_are_not_mixed_up(configure: Configure) -> None:
    configure({**PLAIN, "user": {"email": "email"}})
    site.meeting.clear()

    async def both() -> None:
        first, second = AsyncClient(), AsyncClient()
        first.cookies["ttclid"], second.cookies["ttclid"] = "click-of-first", "click-of-second"
        await asyncio.gather(
            first.get("/slow-checkout/", {"email": "first@example.com"}),
            second.get("/slow-checkout/", {"email": "second@example.com"}),
        )

    async_to_sync(both)()
    found = {json.loads(one.payload)["user"]["ttclid"]: json.loads(one.payload)["user"]["email"] for one in rows()}
    assert found == {
        "click-of-first": email_sha256("first@example.com"),
        "click-of-second": email_sha256("second@example.com"),
    }


def test_outside_any_request_there_is_nobody() -> None:
    paid(email="")
    assert "user" not in body()
