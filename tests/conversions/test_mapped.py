from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.conversions.models import PhoneOrder, Subscription
from tests.conversions.samples import (
    PIXEL,
    PLAIN,
    PURCHASE,
    SECOND_PIXEL,
    body,
    paid,
    row,
    rows,
    sent_properties,
    with_line,
)
from tests.shop.models import Member, Order, OrderLine
from tiktok_attribution.events.hashing import email_sha256, external_id_sha256, phone_sha256
from tiktok_attribution.models import State

pytestmark = pytest.mark.django_db
Configure = Callable[..., None]


def test_a_paid_order_is_a_purchase_with_both_channels(configure: Configure) -> None:
    configure(PURCHASE)
    order = with_line(Order.objects.create(total="19.90", email="Jane@Example.com", phone="+49 151 12345678"))
    order.customer_id, order.status = "c-7", "paid"
    order.save()
    assert row().wants_browser
    assert body() == {
        "event": "Purchase",
        "event_time": row().event_time,
        "event_id": f"order-{order.pk}",
        "user": {
            "email": email_sha256("jane@example.com"),
            "phone": phone_sha256("+4915112345678"),
            "external_id": external_id_sha256("c-7"),
        },
        "page": {"url": "https://shop.example/"},
        "properties": {
            "value": 19.9,
            "currency": "USD",
            "content_type": "product",
            "contents": [
                {"content_id": "tea", "content_type": "product", "content_name": "Tea", "price": 9.95, "quantity": 2}
            ],
        },
    }


def test_the_row_names_its_object_value_and_pixel(configure: Configure) -> None:
    configure(PLAIN)
    order = paid()
    found = row()
    assert (found.object_label, found.object_pk) == ("shop.Order", str(order.pk))
    assert (found.pixel_code, str(found.value), found.currency) == (PIXEL, "19.900000", "USD")


@pytest.mark.parametrize(
    ("channels", "state", "wants_browser"),
    [("both", State.WAITING, True), ("server", State.WAITING, False), ("browser", State.BROWSER_ONLY, True)],
)
def test_a_declaration_may_want_one_channel_only(
    configure: Configure, channels: str, state: str, wants_browser: bool
) -> None:
    configure({**PLAIN, "channels": channels})
    paid()
    assert (row().state, row().wants_browser) == (state, wants_browser)


def test_standard_mode_records_nothing_that_event_builder_may_send(configure: Configure) -> None:
    configure(PLAIN, MODE="standard")
    paid()
    assert rows() == []


def test_standard_mode_records_the_server_event_of_what_event_builder_lacks(configure: Configure) -> None:
    configure(PLAIN, MODE="standard", STANDARD_MODE_SERVER_EVENTS=["Purchase"])
    paid()
    assert (row().state, row().wants_browser) == (State.WAITING, False)


def test_minor_units_become_the_currency(configure: Configure) -> None:
    configure({**PLAIN, "value": lambda order: 1990}, VALUES_IN_MINOR_UNITS=True)
    paid(currency="EUR")
    paid(currency="JPY")
    assert [str(one.value.normalize()) for one in rows() if one.value] == ["19.9", "1.99E+3"]


def test_a_currency_may_be_its_code_a_setting_or_a_path(configure: Configure) -> None:
    configure({**PLAIN, "currency": "EUR"})
    paid(currency="USD")
    assert row().currency == "EUR"


def test_the_setting_currency_stands_in(configure: Configure) -> None:
    configure({"event": "Purchase", "value": "total"}, DEFAULT_CURRENCY="CHF")
    paid()
    assert row().currency == "CHF"


def test_time_event_id_label_and_properties_may_be_the_sites_own(configure: Configure) -> None:
    happened = datetime.now(timezone.utc) - timedelta(hours=3)
    configure(
        {
            **PLAIN,
            "time": lambda order: happened,
            "event_id": lambda order: f"invoice {order.pk}",
            "order_id": "pk",
            "properties": {"shop_id": {"constant": "berlin"}, "gift": "customer_id"},
        }
    )
    order = paid(customer_id="yes")
    assert body()["event_id"] == f"invoice {order.pk}"
    assert body()["event_time"] == int(happened.timestamp())
    assert sent_properties() == {
        "value": 19.9,
        "currency": "USD",
        "order_id": str(order.pk),
        "shop_id": "berlin",
        "gift": "yes",
    }


def test_a_label_makes_ids_of_its_own(configure: Configure) -> None:
    configure({**PLAIN, "label": "sale"})
    order = paid()
    assert row().event_id == f"sale-{order.pk}"


def test_the_pixel_may_come_from_the_object(configure: Configure) -> None:
    configure({**PLAIN, "pixel": "customer_id"})
    paid(customer_id=SECOND_PIXEL)
    assert row().pixel_code == SECOND_PIXEL


def test_an_object_without_its_own_pixel_goes_to_the_configured_one(configure: Configure) -> None:
    configure({**PLAIN, "pixel": "customer_id"})
    paid(customer_id=None)
    assert row().pixel_code == PIXEL


def test_two_pixels_get_a_row_each_with_one_id(configure: Configure) -> None:
    configure(PLAIN, PIXEL_CODE=[PIXEL, SECOND_PIXEL])
    paid()
    assert [found.pixel_code for found in rows()] == [PIXEL, SECOND_PIXEL]
    assert len({found.event_id for found in rows()}) == 1


def test_user_keys_may_be_several_paths_callables_and_constants(configure: Configure) -> None:
    user = {
        "email": ["email", lambda order: "second@example.com"],
        "country": {"constant": "DE"},
        "first_name": lambda order: "Jane",
    }
    configure({**PLAIN, "user": user})
    paid(email="first@example.com")
    assert body()["user"]["email"] == [email_sha256("first@example.com"), email_sha256("second@example.com")]
    assert body()["user"]["country"] == "de"
    assert len(body()["user"]["first_name"]) == 64


def test_contents_without_each_are_the_object_itself(configure: Configure) -> None:
    line = {
        "event": "AddToCart",
        "contents": {"content_id": "sku", "price": lambda line: line.unit_price},
        "currency": "EUR",
    }
    configure(conversions={"shop.OrderLine": line})
    with_line(Order.objects.create(currency="EUR"))
    assert sent_properties()["contents"] == [{"content_id": "tea", "content_type": "product", "price": 9.95}]


def test_contents_may_come_from_a_callable(configure: Configure) -> None:
    mapping = {**PLAIN, "contents": {"each": lambda order: [{"sku": "tea"}], "content_id": "sku"}}
    configure(mapping)
    paid()
    assert sent_properties()["contents"][0]["content_id"] == "tea"


@pytest.mark.parametrize(
    "when",
    [
        {"status": "paid"},
        {"status": ["paid", "shipped"]},
        {"status": "paid", "currency": "USD"},
        {"created_at.year": datetime.now(timezone.utc).year, "status": "paid"},
        lambda order: order.status == "paid",
        "tests.conversions.test_mapped.is_paid",
    ],
)
def test_when_takes_values_lists_paths_and_callables(configure: Configure, when: Any) -> None:
    configure({**PLAIN, "when": when})
    order = Order.objects.create(total=5)
    assert rows() == []
    order.status = "paid"
    order.save()
    assert row().state == State.WAITING


def is_paid(order: Order) -> bool:
    return order.status == "paid"


def test_when_follows_a_foreign_key(configure: Configure) -> None:
    configure(conversions={"shop.OrderLine": {"event": "AddToCart", "when": {"order.status": "cart"}}})
    with_line(Order.objects.create(status="new"))
    assert rows() == []
    with_line(Order.objects.create(status="cart"))
    assert row().name == "AddToCart"


def test_when_may_name_a_foreign_key_by_its_value(configure: Configure) -> None:
    order = Order.objects.create()
    configure(conversions={"shop.OrderLine": {"event": "AddToCart", "when": {"order": order.pk}}})
    line = OrderLine.objects.get(pk=with_line(order).lines.get().pk)
    assert row().object_pk == str(line.pk)


def test_one_model_may_have_several_conversions(configure: Configure) -> None:
    configure([PLAIN, {"event": "InitiateCheckout", "when": {"status": "new"}}])
    order = Order.objects.create()
    order.status = "paid"
    order.save()
    assert [found.name for found in rows()] == ["InitiateCheckout", "Purchase"]


@pytest.mark.parametrize("kind", [PhoneOrder, Subscription])
def test_proxies_and_children_count_as_their_parent(configure: Configure, kind: type[Order]) -> None:
    configure(PLAIN)
    order = kind.objects.create(status="paid", total=5)
    assert (row().event_id, row().object_label) == (f"order-{order.pk}", "shop.Order")


def test_an_order_saved_as_itself_and_as_its_proxy_counts_once(configure: Configure) -> None:
    configure(PLAIN)
    order = paid()
    PhoneOrder.objects.get(pk=order.pk).save()
    assert len(rows()) == 1


def test_a_key_that_is_no_integer_makes_an_id(configure: Configure) -> None:
    configure(conversions={"shop.Member": {"event": "CompleteRegistration", "user": {"email": "email"}}})
    member = Member.objects.create(email="jane@example.com")
    assert row().event_id == f"member-{member.pk}"


def test_a_sign_up_counts_when_the_user_is_made_and_never_after(configure: Configure) -> None:
    configure(conversions={"auth.User": {"event": "CompleteRegistration", "user": {"email": "email"}}})
    user = User.objects.create_user("jane", "jane@example.com", "secret")
    found = row()
    found.delete()
    user.first_name = "Jane"
    user.save()
    user.save(update_fields=["last_login"])
    assert rows() == []


def test_a_sign_up_from_before_the_app_does_not_count_at_the_next_login(configure: Configure) -> None:
    user = User.objects.create_user("jane", "jane@example.com", "secret")
    configure(conversions={"auth.User": {"event": "CompleteRegistration"}})
    User.objects.get(pk=user.pk).save()
    assert rows() == []


def test_a_login_costs_no_query_of_ours(configure: Configure, django_assert_num_queries: Any) -> None:
    user = User.objects.create_user("jane")
    configure(conversions={"auth.User": {"event": "CompleteRegistration"}})
    with django_assert_num_queries(1):
        user.save(update_fields=["last_login"])


def test_a_save_of_an_order_that_does_not_count_costs_no_query_of_ours(
    configure: Configure, django_assert_num_queries: Any
) -> None:
    configure(PURCHASE)
    order = Order.objects.create()
    with django_assert_num_queries(1):
        order.save()
